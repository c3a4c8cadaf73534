import CZMQ
import Bytes

/// What happens to the connection of a socket.
///
/// https://libzmq.readthedocs.io/en/latest/zmq_socket_monitor.html
@LoopActor
final class ZeroMQMonitor {
  /// What has happened.
  enum Event: Sendable, Equatable {
    /// The peer is there, and both have agreed on how to speak: what is sent now reaches it.
    case connected
    /// Nobody listens there; libzmq will try again.
    case refused
    /// The peer does not speak ZMTP, or its socket is of a kind that ours does not speak to.
    case handshakeFailed
    /// The peer is gone; all that it had sent has been received before.
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

  /// Watches `socket` from now on. Whoever makes a monitor closes it before the socket.
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
      // The number of the event in 16 bits and a value in 32, in the order of the machine; then the address.
      guard let number = try await listener.next().first, number.count >= 2 else { continue }
      let event = number.withUnsafeBytes { CInt($0.loadUnaligned(as: UInt16.self)) }
      if let event = Self.events[event] { return event }
    }
  }

  /// Watches no more. Idempotent.
  func close() { listener.close() }
}
