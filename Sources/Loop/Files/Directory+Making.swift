import Glibc

extension Directory {
  /// Makes the directory at `path`, which is absolute, and those above it that are not there. Blocks: for the start of a
  /// program.
  public nonisolated static func make(_ path: String) throws(UVError) {
    var parent = ""
    for name in path.split(separator: "/") {
      parent += "/\(name)"
      do {
        _ = try retrying { mkdir(parent, 0o777) }
      } catch {
        guard error == .exists else { throw error }
      }
    }
  }
}
