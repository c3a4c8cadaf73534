import CZMQ
public import Bytes

/// A socket of libzmq that is connected to one peer, and knows what becomes of the connection.
@LoopActor
public final class ZeroMQConnection {
  /// What the socket is to its peer.
  public enum Kind: Sendable {
    /// Sends requests to a router, and receives what it answers.
    case dealer
    /// Receives all that a publisher says.
    case subscriber
  }

  /// Where the peer listens.
  public enum Endpoint: Sendable, Equatable {
    /// A Unix socket.
    case path(String)
    /// A port of the loopback interface.
    case port(UInt16)
  }

  /// libzmq takes what does not begin like ZMTP 3 for an older version, and waits. Kernels answer within milliseconds; ones
  /// that have just begun to listen on a loaded machine may be slower.
  private static let handshakeLimit: Duration = .seconds(5)

  private let socket: ZeroMQSocket
  private let monitor: ZeroMQMonitor
  private var isPeerGone = false
  /// Something was to be sent when the peer was gone.
  private var isTooLate = false

  /// Connects to `endpoint` and agrees with the peer on how to speak. A subscriber has subscribed to everything.
  ///
  /// - Parameters:
  ///   - identity: what a router is to call us.
  ///   - heldMessages: how many messages may wait here for `receive`, before the peer has to wait.
  ///   - maximumMessageLength: how long all parts of a message may be together, in bytes.
  /// - Throws: `UVError`: `connectionRefused` where nobody listens, `protocolError` where the peer does not speak ZMTP,
  ///   `connectionReset` where it closes the connection, `tooManyOpenFiles`; `CancellationError`.
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

  /// libzmq would connect again, to whomever.
  private func awaitLoss() async {
    guard (try? await monitor.next()) != nil else { return }
    isPeerGone = true
    socket.arrivals.wakeAll()
  }

  /// True when the connection has ended or was closed. What came before may still be there to be received.
  public var isPeerLost: Bool { isPeerGone || !socket.isOpen }

  /// True where something was to be sent after the connection had ended. What libzmq has taken before that may have
  /// reached the peer or not.
  public var hasLostOutput: Bool { isTooLate }

  /// Sends a message of one part or more; it is queued when this returns.
  ///
  /// - Throws: `UVError.cancelled` when it is closed, `brokenPipe` where the peer is gone; `CancellationError`.
  public func send(_ parts: [Bytes]) async throws {
    guard !isPeerGone else {
      isTooLate = true
      throw UVError.brokenPipe
    }
    try await socket.send(parts)
  }

  /// Takes the next message; nil where there is none now.
  ///
  /// - Throws: `UVError.messageTooLong`; the connection is closed then.
  public func receive() throws -> [Bytes]? {
    // To find nothing costs four system calls.
    guard socket.isOpen, socket.isReadable || isPeerGone else { return nil }
    do {
      return try socket.receive()
    } catch {
      close()
      throw error
    }
  }

  /// Waits for the next message. Not for a connection that a selector has.
  ///
  /// - Throws: `UVError.endOfFile` at the end of the connection, `cancelled` when it is closed; `messageTooLong`,
  ///   `CancellationError`.
  public func next() async throws -> [Bytes] {
    while true {
      if let message = try receive() { return message }
      if !socket.isOpen { throw UVError.cancelled }
      if isPeerGone { throw UVError.endOfFile }
      try await socket.arrivals.wait { hasNews }
    }
  }

  /// Closes the connection, without waiting; what was sent and has not left is dropped. Idempotent.
  public func close() {
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
  public var hasNews: Bool { isPeerGone || socket.isReadable }

  /// What is there to receive stays news until it is received.
  public func newsWasTold() {}
}

extension ZeroMQConnection.Endpoint {
  var url: String {
    switch self {
    case .path(let path): "ipc://\(path)"
    case .port(let port): "tcp://127.0.0.1:\(port)"
    }
  }
}
