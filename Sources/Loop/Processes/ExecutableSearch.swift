import CUV
import Glibc

/// Finds a program as the shell does. If setpriv(1) starts the program, a missing one must still be an error of
/// `spawn`, not a child that exits with status 127.
public struct ExecutableSearch {
  /// What is searched where `PATH` is not set.
  public static let defaultPath = "/usr/local/bin:/usr/bin:/bin"

  private let directories: [Substring]

  init(_ environment: [String: String]?) {
    let path =
      if let environment { environment["PATH"] } else { getenv("PATH").map { String(cString: $0) } }
    directories = (path ?? Self.defaultPath).split(
      separator: ":", omittingEmptySubsequences: false)
  }

  /// - Throws: `UVError.noEntry` if no directory has it, `accessDenied` if it is not executable.
  func path(of name: String, from currentDirectory: String?) throws(UVError) -> String {
    let candidates =
      name.contains("/") ? [name] : directories.map { $0.isEmpty ? "./\(name)" : "\($0)/\(name)" }
    var failure = UVError.noEntry
    for candidate in candidates {
      let place = candidate.hasPrefix("/") ? candidate : "\(currentDirectory ?? ".")/\(candidate)"
      var status = stat()
      guard stat(place, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      if access(place, X_OK) == 0 { return candidate }
      failure = .accessDenied
    }
    throw failure
  }
}
