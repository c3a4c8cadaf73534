import Loop
import Bytes
import Wire

/// A ZeroMQ socket that is connected to one peer, without libzmq.
///
/// It speaks ZMTP on the loop's own streams. In libzmq, every message passes an I/O thread on its way in and out.
/// Without that, the round trip to a kernel takes a third less, and no other thread competes with kernels for the
/// processors. It also knows which requests a dead kernel has not read.
@LoopActor
final class ZMTPConnection: KernelSocket {
  /// The kernel is on this machine. If it does not accept a connection within this time, it is gone.
  private static let connectLimit: Duration = .seconds(10)

  let stream: SocketStream
  private let type: ZMTPSocketType
  private var parser: ZMTPParser
  private var isAnsweringPing = false
  /// A message was to be sent after the peer had closed its socket. ZeroMQ never closes only one direction.
  private var isTooLate = false

  /// Connects to `endpoint` and does the ZMTP handshake. A subscriber subscribes to all topics.
  ///
  /// - Parameters:
  ///   - identity: the routing identity that a ROUTER peer knows this socket by.
  ///   - maximumMessageLength: of all parts, in bytes.
  /// - Throws: `UVError`, `ZMTPError`, `CancellationError`.
  static func open(
    _ endpoint: ZeroMQConnection.Endpoint, as type: ZMTPSocketType, identity: Bytes = Bytes(),
    maximumMessageLength: Int = ZMTPParser.defaultMaximumMessageLength
  ) async throws -> ZMTPConnection {
    let stream =
      switch endpoint {
      case .path(let path): try await SocketStream.connect(path: path, timeout: connectLimit)
      case .port(let port):
        try await SocketStream.connect(host: "127.0.0.1", port: port, timeout: connectLimit)
      }
    let connection = ZMTPConnection(stream, as: type, maximumMessageLength: maximumMessageLength)
    do {
      try await connection.shakeHands(identity: identity)
      if type == .subscriber {
        try await connection.send([Bytes(stringLiteral: ZMTPSocketType.subscriptionToAll)])
      }
      return connection
    } catch {
      stream.abort()
      throw error
    }
  }

  /// A connection over an open stream.
  init(
    _ stream: SocketStream, as type: ZMTPSocketType,
    maximumMessageLength: Int = ZMTPParser.defaultMaximumMessageLength
  ) {
    self.stream = stream
    self.type = type
    parser = ZMTPParser(for: type, maximumMessageLength: maximumMessageLength)
    stream.gathersWrites = false
  }

  /// Exchanges greetings and READY commands. Called once, before everything else.
  ///
  /// - Throws: `UVError`, `ZMTPError`, `CancellationError`.
  func shakeHands(identity: Bytes = Bytes()) async throws {
    try await stream.write([ZMTPGreeting.encoded])
    while true {
      switch try parser.next(&stream.inbound) {
      case .greeting: try await stream.write(ZMTPFrame.encodeReady(type, identity: identity))
      case .ready: return
      case .message, .ping: break
      case nil: guard try await stream.fill() else { throw UVError.endOfFile }
      }
    }
  }

  /// Sends a message of one or more parts. Large parts are not copied.
  ///
  /// - Throws: `UVError`, `CancellationError`.
  func send(_ parts: [Bytes]) async throws {
    guard !stream.isPeerGone else {
      isTooLate = true
      throw UVError.brokenPipe
    }
    try await stream.write(ZMTPFrame.encode(parts))
  }

  var source: any Selectable { stream }

  var isPeerLost: Bool { stream.isInputAtEnd }

  /// True if the peer is gone and certainly has not read everything that was sent.
  var hasLostOutput: Bool { isTooLate || stream.hasLostOutput }

  /// Takes the next message, its parts not copied; nil if there is none now.
  ///
  /// - Throws: `ZMTPError`; the connection is closed then.
  func receive() throws -> [Bytes]? {
    do {
      while let event = try parser.next(&stream.inbound) {
        switch event {
        case .message(let parts): return parts
        case .ping(let context): answerPing(context)
        case .greeting, .ready: break
        }
      }
    } catch {
      // Nothing after a protocol error can be parsed.
      close()
      throw error
    }
    if let total = parser.wantedTotal { stream.prepare(forTotal: total) }
    return nil
  }

  /// One PONG at a time: a peer that sends PINGs and reads nothing must not fill the memory.
  private func answerPing(_ context: Bytes) {
    guard !isAnsweringPing else { return }
    isAnsweringPing = true
    LoopActor.task {
      try? await self.stream.write(ZMTPFrame.encodePong(context))
      try? await self.stream.flush()
      self.isAnsweringPing = false
    }
  }

  /// Waits for the next message. Not for a connection that belongs to an inbox.
  ///
  /// - Throws: `UVError`, `endOfFile` among them; `ZMTPError`, `CancellationError`.
  func next() async throws -> [Bytes] {
    while true {
      if let message = try receive() { return message }
      guard try await stream.fill() else { throw UVError.endOfFile }
    }
  }

  /// Closes the connection, without waiting. Idempotent.
  func close() { stream.abort() }
}
