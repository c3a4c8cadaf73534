import FoundationEssentials

extension String {
  /// The path that it is, seen from the current directory.
  var absolutePath: String {
    hasPrefix("/") ? self : "\(FileManager.default.currentDirectoryPath)/\(self)"
  }
}
