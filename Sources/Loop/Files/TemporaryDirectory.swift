import CUV
import Glibc

/// A directory of our own (mode 0700) below `$TMPDIR` or `/tmp`, for sockets and files that other users must not see.
public struct TemporaryDirectory: Sendable {
  /// Its absolute path.
  public let path: String

  /// Where temporary files are made: `$TMPDIR`, or `/tmp`.
  public static var parent: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }

  /// Makes a directory whose name begins with `prefix`.
  ///
  /// - Throws: `UVError`.
  public init(prefix: String) throws(UVError) {
    var request = uv_fs_t()
    defer { uv_fs_req_cleanup(&request) }
    let status = uv_fs_mkdtemp(nil, &request, "\(Self.parent)/\(prefix)XXXXXX", nil)
    guard status == 0, let made = request.path else { throw UVError(rawValue: status) }
    path = String(cString: made)
  }

  /// Makes the directory at a path where nothing is.
  ///
  /// - Throws: `UVError`.
  public init(at path: String) throws(UVError) {
    _ = try retrying { mkdir(path, 0o700) }
    self.path = path
  }

  /// Sets its mode again, which other processes of this user may have changed; ignores errors.
  public func restoreMode() { _ = chmod(path, 0o700) }

  /// Removes it with everything in it, even if a process has taken the rights to do so; what cannot be removed stays. No process may
  /// change it meanwhile.
  @LoopActor
  public func remove() async {
    guard let slash = path.lastIndex(of: "/") else { return }
    let parent = String(path[..<slash])
    let name = PathName(String(path[slash...].dropFirst()))
    _ = try? await Pending { () throws(UVError) in
      try Descriptor.openDirectory(path: parent).removeTree(name, takingRights: true)
    }.valueRegardless()
  }
}
