import Glibc
public import Loop

extension Listener {
  /// Listens on a Unix socket, so that there is a peer for `SocketStream.connect(path:)`. The caller removes the socket file.
  ///
  /// - Throws: the `UVError` of the system call that failed.
  @LoopActor
  public static func bind(path: String) throws -> Listener {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let fits = withUnsafeMutableBytes(of: &address.sun_path) { target in
      guard path.utf8.count < target.count else { return false }
      target.copyBytes(from: path.utf8)
      return true
    }
    guard fits else { throw UVError.nameTooLong }
    let descriptor = socket(
      AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let isBound = withUnsafePointer(to: address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.bind(descriptor, $0, length) == 0 }
    }
    guard isBound, listen(descriptor, SOMAXCONN) == 0 else {
      let error = UVError(rawValue: -errno)
      Glibc.close(descriptor)
      throw error
    }
    return try Listener(adopting: descriptor)
  }
}
