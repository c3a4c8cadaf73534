import CUV
import Glibc

/// A TCP port of the loopback interface that is reserved for another process while this value exists.
///
/// A socket is bound to it that does not listen. The system does not choose such a port for a bind to port 0, but lets a
/// process bind to it that names it and sets `SO_REUSEADDR`, as ZeroMQ, Java, Go and Rust do (bind(2), and
/// `inet_csk_get_port` of Linux).
public struct ReservedPort: Sendable {
  /// The port.
  public let number: UInt16
  private let socket: Descriptor

  /// Reserves a free port.
  ///
  /// - Throws: `UVError`.
  public init() throws(UVError) {
    guard let anyPort = NativeAddress(digits: "127.0.0.1", port: 0) else { throw .invalidArgument }
    let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue
    let descriptor = Glibc.socket(AF_INET, CInt(type), 0)
    if descriptor < 0 { throw UVError(systemError: errno) }
    socket = Descriptor(adopting: descriptor)
    setSocketOption(SO_REUSEADDR, at: SOL_SOCKET, of: descriptor, to: 1)
    if anyPort.withSocketAddress({ Glibc.bind(descriptor, $0, $1) }) != 0 {
      throw UVError(systemError: errno)
    }
    let bound = NativeAddress { address, length in
      var size = socklen_t(length.pointee)
      defer { length.pointee = CInt(size) }
      return getsockname(descriptor, address, &size)
    }
    guard let address = bound.flatMap(SocketAddress.init) else { throw .invalidArgument }
    number = address.port
  }
}
