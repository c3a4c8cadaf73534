import Loop
import Bytes
import Wire

/// A client's WebSocket connection. It answers pings and notices a peer that has gone silent.
@LoopActor
final class WebSocketConnection {
  /// A peer that sends nothing for this long gets a ping. After as long again without an answer, the connection is aborted.
  static let pingInterval: Duration = .seconds(15)
  /// How long the handshake may take. Jupyter Server waits for the kernel before it answers.
  private static let handshakeLimit: Duration = .seconds(10)
  /// How long a peer may take to answer a close frame.
  private static let closeLimit: Duration = .seconds(1)

  /// The subprotocol that the server chose; nil if it chose none.
  let subprotocol: Bytes?
  private let stream: any ByteStream
  private var parser: WebSocketParser
  private var healthCheck: Deadline?
  private var isListening = false
  private var isPinged = false
  /// The length of the incomplete message at the last health check, in bytes.
  private var receivedCount = 0
  private var isClosed = false

  /// Connects and does the opening handshake.
  ///
  /// - Parameter maximumMessageLength: how long a message of the server may be, in bytes.
  /// - Throws: `UVError`, `TLSError`, `DeadlineExceeded`, `HTTPProtocolError`, `WebSocketError`.
  static func open(
    _ target: String, at location: ServerLocation, subprotocol: Bytes, maximumMessageLength: Int
  ) async throws -> WebSocketConnection {
    let stream = try await location.connect()
    do {
      return try await withDeadline(handshakeLimit) {
        let chosen = try await shakeHands(
          over: stream, target: target, location: location, offering: subprotocol)
        return WebSocketConnection(
          stream, subprotocol: chosen, maximumMessageLength: maximumMessageLength)
      }
    } catch {
      stream.abort()
      throw error
    }
  }

  private init(_ stream: any ByteStream, subprotocol: Bytes?, maximumMessageLength: Int) {
    self.stream = stream
    parser = WebSocketParser(
      maximumMessageLength: maximumMessageLength, longLength: Computation.longLength)
    self.subprotocol = subprotocol
    let healthCheck = Deadline { [weak self] in self?.checkHealth() }
    self.healthCheck = healthCheck
    healthCheck.start(Self.pingInterval)
  }

  /// Waits for the next message. One caller at a time.
  ///
  /// - Throws: `UVError`, `WebSocketError`; `WebSocketClosed` when the peer closes.
  func next() async throws -> (bytes: Bytes, isText: Bool) {
    isListening = true
    defer { isListening = false }
    do {
      while true {
        if let event = try parser.next(&stream.inbound) {
          if let message = try await receive(event) { return message }
        } else {
          if let total = parser.wantedTotal { stream.prepare(forTotal: total) }
          guard try await stream.fill() else { throw WebSocketClosed(code: nil, reason: "") }
          isPinged = false
        }
      }
    } catch {
      if let error = error as? WebSocketError { await sendClose(error.closeCode) }
      abort()
      throw error
    }
  }

  /// Sends one message: the parts of `payload`, one after the other.
  func send(_ payload: [Bytes], isText: Bool) async throws {
    // Masking copies the payload.
    let frame = try await Computation.run(over: payload.byteCount) {
      WebSocketFrame.encode(isText ? .text : .binary, payload, maskingKey: .random(in: .min ... .max))
    }
    try await stream.write(frame)
  }

  /// Sends a close frame and closes the connection. A pending `next` throws.
  func close() async {
    guard !isClosed else { return }
    isClosed = true
    healthCheck?.close()
    await sendClose(1000)
    await stream.close()
  }

  private func receive(_ event: WebSocketEvent) async throws -> (bytes: Bytes, isText: Bool)? {
    switch event {
    case .message(let bytes, let isText):
      if isText, bytes.count > Computation.longLength {
        try await Computation.run(over: bytes.count) { try WebSocketParser.checkText(bytes) }
      }
      return (bytes, isText)
    case .pieces(let pieces, let isText):
      let bytes = try await Computation.run(over: pieces.byteCount) {
        let bytes = WebSocketParser.join(pieces)
        if isText { try WebSocketParser.checkText(bytes) }
        return bytes
      }
      return (bytes, isText)
    case .ping(let payload):
      try await stream.write(
        WebSocketFrame.encode(.pong, [payload], maskingKey: .random(in: .min ... .max)))
    case .pong: break
    case .close(let code, let reason):
      await sendClose(code)
      throw WebSocketClosed(code: code, reason: reason)
    }
    return nil
  }

  private func sendClose(_ code: UInt16?) async {
    let frame = WebSocketFrame.encodeClose(code: code, maskingKey: .random(in: .min ... .max))
    try? await withDeadline(Self.closeLimit) {
      try await self.stream.write(frame)
      try await self.stream.flush()
    }
  }

  /// While nobody reads, because the client does not read either, a silent peer looks like a full socket.
  private func checkHealth() {
    guard !isClosed else { return }
    healthCheck?.start(Self.pingInterval)
    guard isListening else { return }
    // A long message is delivered only when it is complete. Until then, its growth shows that the peer is alive.
    let isArriving = stream.inbound.count > receivedCount
    receivedCount = stream.inbound.count
    if isPinged, !isArriving {
      abort()
    } else {
      isPinged = true
      LoopActor.task {
        try? await self.stream.write(
          WebSocketFrame.encode(.ping, [], maskingKey: .random(in: .min ... .max)))
      }
    }
  }

  private func abort() {
    isClosed = true
    healthCheck?.close()
    stream.abort()
  }

  private static func shakeHands(
    over stream: any ByteStream, target: String, location: ServerLocation, offering subprotocol: Bytes
  ) async throws -> Bytes? {
    let handshake = WebSocketHandshake(withRandomKeyFor: [subprotocol])
    var fields = location.fields
    fields.remove("Host")
    let request = handshake.request(target: target, host: location.hostField, fields: fields)
    try await stream.write([request.encode()])
    var parser = HTTPResponseParser(requestMethod: "GET")
    var head: HTTPResponseHead?
    while true {
      switch try parser.next(&stream.inbound) {
      case .head(let received, _): head = received
      case .body: break
      case .end:
        guard let head else { throw UVError.endOfFile }
        return try handshake.accept(head)
      case nil: guard try await stream.fill() else { throw UVError.endOfFile }
      }
    }
  }
}

extension WebSocketHandshake {
  /// A handshake with a random key (RFC 6455 section 4.1).
  init(withRandomKeyFor subprotocols: [Bytes]) {
    let key = Base64.encode((0..<16).map { _ in .random(in: .min ... .max) })
    self.init(key: key, acceptValue: Self.acceptValue(forKey: key), subprotocols: subprotocols)
  }

  /// What the server must answer to `key` in `Sec-WebSocket-Accept` (RFC 6455 section 1.3).
  static func acceptValue(forKey key: String) -> String {
    Base64.encode(SHA1.digest(Bytes(key + acceptSuffix)))
  }
}

/// The peer closed the WebSocket.
struct WebSocketClosed: Error, CustomStringConvertible {
  let code: UInt16?
  let reason: String

  var description: String {
    let code = code.map { " (\($0))" } ?? ""
    return "the Jupyter server closed the connection\(code)\(reason.isEmpty ? "" : ": \(reason)")"
  }
}
