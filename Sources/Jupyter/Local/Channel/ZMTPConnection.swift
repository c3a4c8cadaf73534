import Loop
import Bytes
import Wire

/// The connection of a ZeroMQ socket of ours to its one peer, without libzmq.
///
/// It speaks ZMTP on the loop's own streams. Every message would have to pass libzmq's thread on its way in and out:
/// without that hop the way to a kernel and back takes a third less, and no thread runs beside the loop while kernels
/// want the processors. And it is known what a dead kernel has not read.
@LoopActor
final class ZMTPConnection: KernelSocket {
  /// A kernel listens on this machine: who does not accept within this is not there.
  private static let connectLimit: Duration = .seconds(10)

  /// Where the bytes come from.
  let stream: SocketStream
  private let type: ZMTPSocketType
  private var parser: ZMTPParser
  private var isAnsweringPing = false
  /// Something was to be sent when the peer had closed its socket, which ZeroMQ never does by halves.
  private var isTooLate = false

  /// Connects to `endpoint` and agrees with the peer on how to speak. A subscriber has subscribed to everything.
  ///
  /// - Parameters:
  ///   - identity: what a router is to call us.
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

  /// A connection over a stream that is there already.
  init(
    _ stream: SocketStream, as type: ZMTPSocketType,
    maximumMessageLength: Int = ZMTPParser.defaultMaximumMessageLength
  ) {
    self.stream = stream
    self.type = type
    parser = ZMTPParser(for: type, maximumMessageLength: maximumMessageLength)
    stream.gathersWrites = false
  }

  /// Exchanges greetings. Called once, before all else.
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

  /// Sends a message of one part or more. What is large is sent from where it lies.
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

  /// True where the peer is gone and has certainly not read all that was sent.
  var hasLostOutput: Bool { isTooLate || stream.hasLostOutput }

  /// Takes the next message, its parts in the memory that they arrived in; nil where there is none now.
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
      // Nobody will take what comes behind.
      close()
      throw error
    }
    if let total = parser.wantedTotal { stream.prepare(forTotal: total) }
    return nil
  }

  /// One answer at a time: a peer that asks again and reads none of them must not fill our memory.
  private func answerPing(_ context: Bytes) {
    guard !isAnsweringPing else { return }
    isAnsweringPing = true
    LoopActor.task {
      try? await self.stream.write(ZMTPFrame.encodePong(context))
      try? await self.stream.flush()
      self.isAnsweringPing = false
    }
  }

  /// Waits for the next message. Not for a connection that an inbox has.
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
