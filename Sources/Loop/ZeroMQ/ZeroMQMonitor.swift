import CZMQ
import Bytes

/// Reports what happens to the connection of a socket.
///
/// https://libzmq.readthedocs.io/en/latest/zmq_socket_monitor.html
@LoopActor
final class ZeroMQMonitor {
  enum Event: Sendable, Equatable {
    /// The handshake is done.
    case connected
    /// No process listens; libzmq will try again.
    case refused
    /// The peer does not speak ZMTP, or its socket type does not match ours.
    case handshakeFailed
    /// The connection has ended. The peer's last messages may come after this (see `ZeroMQConnection`).
    case disconnected
  }

  private static let events: [CInt: Event] = [
    CInt(ZMQ_EVENT_HANDSHAKE_SUCCEEDED): .connected,
    CInt(ZMQ_EVENT_CONNECT_RETRIED): .refused,
    CInt(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL): .handshakeFailed,
    CInt(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH): .handshakeFailed,
    CInt(ZMQ_EVENT_DISCONNECTED): .disconnected,
  ]

  private let listener: ZeroMQSocket

  /// Watches `socket`. The owner closes the monitor before the socket.
  init(of socket: ZeroMQSocket, in context: ZeroMQContext) throws(UVError) {
    listener = try ZeroMQSocket(.pair, in: context)
    do {
      let wanted = Self.events.keys.reduce(0, |)
      try socket.startMonitor(wanted, at: context.nextMonitorEndpoint(), for: listener)
    } catch {
      listener.close()
      throw error
    }
  }

  /// Waits for the next event.
  ///
  /// - Throws: `UVError.cancelled` when closed, `CancellationError`.
  func next() async throws -> Event {
    while true {
      // The first part is the event in 16 bits and a value in 32, in host byte order; the second is the address.
      guard let number = try await listener.next().first, number.count >= 2 else { continue }
      let event = number.withUnsafeBytes { CInt($0.loadUnaligned(as: UInt16.self)) }
      if let event = Self.events[event] { return event }
    }
  }

  /// Stops watching. Idempotent.
  func close() { listener.close() }
}
