import CZMQ
import Memory

/// What happens to the connection of a socket.
///
/// https://libzmq.readthedocs.io/en/latest/zmq_socket_monitor.html
@LoopActor
public final class ZeroMQMonitor {
  /// What has happened.
  public enum Event: Sendable {
    /// The peer is there, and both have agreed on how to speak: what is sent now reaches it.
    case connected
    /// The peer is gone; all that it had sent has been received before.
    case disconnected
  }

  private let events: ZeroMQSocket

  /// Watches `socket` from now on. It is closed with `close` or its context.
  public init(of socket: ZeroMQSocket, in context: ZeroMQContext) throws(UVError) {
    events = try ZeroMQSocket(.pair, in: context)
    do {
      let wanted = CInt(ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED)
      try socket.startMonitor(wanted, at: context.nextMonitorEndpoint(), for: events)
    } catch {
      events.close()
      throw error
    }
  }

  /// Waits for the next event.
  ///
  /// - Throws: `UVError.cancelled` when closed, `CancellationError`.
  public func next() async throws -> Event {
    while true {
      // The number of the event in 16 bits and a value in 32, in the order of the machine; then the address.
      guard let number = try await events.next().first, number.count >= 2 else { continue }
      let event = number.withUnsafeBytes { CInt($0.loadUnaligned(as: UInt16.self)) }
      if event == CInt(ZMQ_EVENT_HANDSHAKE_SUCCEEDED) { return .connected }
      if event == CInt(ZMQ_EVENT_DISCONNECTED) { return .disconnected }
    }
  }

  /// Watches no more. Idempotent.
  public func close() { events.close() }
}
