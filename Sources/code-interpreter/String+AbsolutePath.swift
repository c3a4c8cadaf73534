import FoundationEssentials

extension String {
  /// The path, made absolute from the current directory.
  var absolutePath: String {
    hasPrefix("/") ? self : "\(FileManager.default.currentDirectoryPath)/\(self)"
  }
}
