import CZMQ
public import Bytes

/// A libzmq socket that is connected to one peer and notices when the connection ends.
@LoopActor
public final class ZeroMQConnection {
  /// The type of the socket.
  public enum Kind: Sendable {
    /// ZMQ_DEALER: sends requests to a router and receives its replies.
    case dealer
    /// ZMQ_SUB: receives all messages of a publisher.
    case subscriber
  }

  /// The address that the peer listens at.
  public enum Endpoint: Sendable, Equatable {
    /// A Unix socket.
    case path(String)
    /// A port of the loopback interface.
    case port(UInt16)
  }

  /// libzmq takes a greeting that is not ZMTP 3 for an older version, and waits. Kernels answer within milliseconds, on a
  /// loaded machine some seconds after they have begun to listen.
  private static let handshakeLimit: Duration = .seconds(5)

  /// How long to wait for the last messages after a protocol error.
  private static let handoverLimit: Duration = .milliseconds(250)

  private let socket: ZeroMQSocket
  private let monitor: ZeroMQMonitor
  private var handover: Deadline?
  private var isPeerGone = false
  /// `send` was called after the connection had ended.
  private var isTooLate = false

  /// Connects to `endpoint` and does the ZMTP handshake. A subscriber subscribes to everything.
  ///
  /// - Parameters:
  ///   - identity: the routing ID that a router calls us by.
  ///   - heldMessages: how many messages may wait for `receive` before libzmq stops reading (ZMQ_RCVHWM).
  ///   - maximumMessageLength: the limit for all parts of a message together, in bytes.
  /// - Throws: `UVError`: `connectionRefused` if no process listens, `protocolError` if the peer does not speak ZMTP,
  ///   `connectionReset` if it closes the connection, `tooManyOpenFiles`; `CancellationError`.
  public static func open(
    _ endpoint: Endpoint, as kind: Kind, identity: Bytes = Bytes(), heldMessages: CInt,
    maximumMessageLength: Int, in context: ZeroMQContext
  ) async throws -> ZeroMQConnection {
    var options = ZeroMQSocket.Options()
    options.identity = identity
    options.receiveHighWaterMark = heldMessages
    options.maximumMessageLength = maximumMessageLength
    let connection = try ZeroMQConnection(kind, options, in: context)
    do {
      if kind == .subscriber { try connection.socket.subscribe() }
      try connection.socket.connect(to: endpoint.url)
      try await connection.untilConnected()
      return connection
    } catch {
      connection.close()
      throw error
    }
  }

  private init(
    _ kind: Kind, _ options: ZeroMQSocket.Options, in context: ZeroMQContext
  ) throws(UVError) {
    let socket = try ZeroMQSocket(kind == .dealer ? .dealer : .subscriber, in: context, options)
    do {
      monitor = try ZeroMQMonitor(of: socket, in: context)
      self.socket = socket
    } catch {
      socket.close()
      throw error
    }
  }

  private func untilConnected() async throws {
    let event: ZeroMQMonitor.Event
    do {
      event = try await withDeadline(Self.handshakeLimit) { try await self.monitor.next() }
    } catch is DeadlineExceeded {
      throw UVError.protocolError
    }
    switch event {
    case .connected: break
    case .refused: throw UVError.connectionRefused
    case .handshakeFailed: throw UVError.protocolError
    case .disconnected: throw UVError.connectionReset
    }
    LoopActor.task { await self.awaitLoss() }
  }

  /// The end of the connection is final, although libzmq connects again: another process may listen there by then.
  ///
  /// At a protocol error, libzmq reports the end before it hands over the messages that came before the error
  /// (`stream_engine_base_t::error` in 4.3.4), and no further event follows. At any other end they are there already, and
  /// the next event follows at once: libzmq is about to connect again.
  private func awaitLoss() async {
    guard (try? await monitor.next()) != nil, socket.isOpen else { return }
    let handover = Deadline { [weak self] in self?.peerHasGone() }
    self.handover = handover
    handover.start(Self.handoverLimit)
    _ = try? await monitor.next()
    peerHasGone()
  }

  private func peerHasGone() {
    handover?.close()
    isPeerGone = true
    socket.arrivals.wakeAll()
  }

  /// True once the connection has ended or was closed. Messages that came before may still wait for `receive`.
  public var isPeerLost: Bool { isPeerGone || !socket.isOpen }

  /// True if `send` was called after the connection had ended. Messages that libzmq took before may or may not have reached
  /// the peer.
  public var hasLostOutput: Bool { isTooLate }

  /// Queues a message of one or more parts.
  ///
  /// - Throws: `UVError.cancelled` when it is closed, `brokenPipe` after the connection has ended; `CancellationError`.
  public func send(_ parts: [Bytes]) async throws {
    guard !isPeerGone else {
      isTooLate = true
      throw UVError.brokenPipe
    }
    try await socket.send(parts)
  }

  /// Takes the next message; nil if there is none now.
  ///
  /// - Throws: `UVError.messageTooLong`; the connection is closed then.
  public func receive() throws -> [Bytes]? {
    // A receive without a message costs four system calls.
    guard socket.isOpen, socket.isReadable || isPeerGone else { return nil }
    do {
      return try socket.receive()
    } catch {
      close()
      throw error
    }
  }

  /// Waits for the next message. Not for a connection that belongs to a selector.
  ///
  /// - Throws: `UVError.endOfFile` at the end of the connection, `cancelled` when it is closed; `messageTooLong`,
  ///   `CancellationError`.
  public func next() async throws -> [Bytes] {
    while true {
      if let message = try receive() { return message }
      if !socket.isOpen { throw UVError.cancelled }
      if isPeerGone { throw UVError.endOfFile }
      try await socket.arrivals.wait { hasEvents }
    }
  }

  /// Closes the connection, without waiting, and drops queued messages. Idempotent.
  public func close() {
    handover?.close()
    monitor.close()
    socket.close()
  }
}

extension ZeroMQConnection: Selectable {
  /// See `Selectable`.
  public func setWaiters(_ waiters: WaitQueue) { socket.arrivals = waiters }

  /// See `Selectable`.
  public func watch() {}

  /// See `Selectable`.
  public var hasEvents: Bool { isPeerGone || socket.isReadable }

  /// See `Selectable`. Messages count as events until they are received.
  public func clearEvents() {}
}

extension ZeroMQConnection.Endpoint {
  var url: String {
    switch self {
    case .path(let path): "ipc://\(path)"
    case .port(let port): "tcp://127.0.0.1:\(port)"
    }
  }
}
