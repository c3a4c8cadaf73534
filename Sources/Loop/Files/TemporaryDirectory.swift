import CUV
import Glibc

/// A directory of our own (mode 0700) below `$TMPDIR` or `/tmp`, for sockets and files that nobody else may see.
public struct TemporaryDirectory: Sendable {
  /// Its absolute path.
  public let path: String

  /// Makes one whose name begins with `prefix`.
  ///
  /// - Throws: `UVError`.
  public init(prefix: String) throws(UVError) {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var request = uv_fs_t()
    defer { uv_fs_req_cleanup(&request) }
    let status = uv_fs_mkdtemp(nil, &request, "\(parent)/\(prefix)XXXXXX", nil)
    guard status == 0, let made = request.path else { throw UVError(rawValue: status) }
    path = String(cString: made)
  }
}

extension TemporaryDirectory {
  /// Removes it with all it holds; what cannot be removed stays.
  @LoopActor
  public func remove() async {
    guard let slash = path.lastIndex(of: "/"),
      let name = try? RelativePath(String(path[slash...].dropFirst())),
      let parent = try? await Directory.open(String(path[..<slash]))
    else { return }
    try? await parent.remove(name)
  }
}
