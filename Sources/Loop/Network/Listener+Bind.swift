import CUV
import Glibc

extension Listener {
  /// Listens on a TCP port.
  ///
  /// - Parameters:
  ///   - host: a name or an IP address.
  ///   - port: 0 for any free port.
  ///   - backlog: how many connections may wait for `accept`; the system may have a lower limit.
  ///   - peerTimeout: how long sent bytes may stay unacknowledged before the system breaks the connection; about 15 minutes
  ///     if nil.
  /// - Throws: the `UVError` of the last of the host's addresses; `CancellationError`.
  public static func bind(
    host: String, port: UInt16, backlog: Int = 1024, peerTimeout: Duration? = nil
  ) async throws -> Listener {
    var lastError = UVError.unknownHost
    for address in try await Resolver.addresses(of: host, port: port) {
      do throws(UVError) {
        let descriptor = try open(address, backlog: backlog)
        if let peerTimeout { limitWaiting(of: descriptor, to: peerTimeout) }
        do throws(UVError) { return try Listener(adopting: descriptor) } catch {
          Glibc.close(descriptor)
          throw error
        }
      } catch {
        lastError = error
      }
    }
    throw lastError
  }

  private static func open(_ address: NativeAddress, backlog: Int) throws(UVError) -> CInt {
    let descriptor = socket(
      address.family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    if descriptor < 0 { throw UVError(systemError: errno) }
    setOptions(of: descriptor)
    let status = address.withSocketAddress { Glibc.bind(descriptor, $0, $1) }
    if status == 0, listen(descriptor, CInt(clamping: backlog)) == 0 { return descriptor }
    let error = UVError(systemError: errno)
    Glibc.close(descriptor)
    throw error
  }

  /// Accepted sockets inherit these options on Linux, which saves three calls for each connection.
  private static func setOptions(of descriptor: CInt) {
    setSocketOption(SO_REUSEADDR, at: SOL_SOCKET, of: descriptor, to: 1)
    setSocketOption(TCP_NODELAY, at: CInt(IPPROTO_TCP), of: descriptor, to: 1)
    setSocketOption(SO_KEEPALIVE, at: SOL_SOCKET, of: descriptor, to: 1)
    // The system's default of two hours is too long to keep the resources of a client that lost its network.
    setSocketOption(TCP_KEEPIDLE, at: CInt(IPPROTO_TCP), of: descriptor, to: 60)
  }

  /// Sets `TCP_USER_TIMEOUT` (RFC 5482), which accepted sockets inherit. Zero would mean the system's default.
  private static func limitWaiting(of descriptor: CInt, to timeout: Duration) {
    let milliseconds = CInt(clamping: max(timeout.nanoseconds / 1_000_000, 1))
    setSocketOption(TCP_USER_TIMEOUT, at: CInt(IPPROTO_TCP), of: descriptor, to: milliseconds)
  }
}
