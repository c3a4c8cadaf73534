public import Bytes

/// Parses the frames of a server into messages (RFC 6455). An error is final.
public struct WebSocketParser: Sendable {
  /// The default limit of a message, in bytes.
  public static let defaultMaximumMessageLength = 256 << 20

  /// The length of the buffer once the incomplete frame at its front is complete; nil if that is not known. Set when
  /// `next` has returned nil. A stream that reserves that much reads the frame to its final place.
  public var wantedTotal: Int? { frames.wantedTotal }

  private enum State {
    case open
    case closed
    case failed(WebSocketError)
  }

  private let maximumMessageLength: Int
  private let longLength: Int
  private var state = State.open
  private var frames = FrameReader<WebSocketHeader>()
  private var fragments: WebSocketFragments?

  /// A parser for the bytes that follow the handshake.
  ///
  /// - Parameter longLength: longer messages count as long. Their caller joins the pieces with `join`, and checks text
  ///   with `checkText` before it uses it.
  public init(
    maximumMessageLength: Int = defaultMaximumMessageLength, longLength: Int = .max
  ) {
    self.longLength = longLength
    // Leaves room to add the length of a header.
    self.maximumMessageLength = min(max(maximumMessageLength, 0), Int.max - 64)
  }

  /// The next event, which is taken from `buffer`; nil if it is incomplete. A message in one frame shares the buffer's
  /// memory. Bytes after a close frame are dropped.
  public mutating func next(_ buffer: inout ByteBuffer) throws(WebSocketError) -> WebSocketEvent? {
    switch state {
    case .open: break
    case .closed:
      buffer.discard(buffer.count)
      return nil
    case .failed(let error): throw error
    }
    do throws(WebSocketError) {
      return try nextEvent(&buffer)
    } catch {
      frames = FrameReader()
      fragments = nil
      state = .failed(error)
      throw error
    }
  }

  private mutating func nextEvent(_ buffer: inout ByteBuffer) throws(WebSocketError) -> WebSocketEvent? {
    while let (header, payload) = try nextFrame(&buffer) {
      if let event = try event(header, payload) { return event }
    }
    return nil
  }

  private mutating func nextFrame(
    _ buffer: inout ByteBuffer
  ) throws(WebSocketError) -> (WebSocketHeader, Bytes)? {
    guard let header = try frames.header(in: buffer),
      let payload = frames.body(try payloadLength(header), behind: header, from: &buffer)
    else { return nil }
    return (header, payload)
  }

  /// The length of the payload, if the frame is allowed now.
  private func payloadLength(_ header: WebSocketHeader) throws(WebSocketError) -> Int {
    if header.opcode.isControl { return Int(header.payloadLength) }
    guard (header.opcode == .continuation) == (fragments != nil) else {
      throw WebSocketError(
        .invalidFrame,
        fragments == nil ? "A continuation frame without a message" : "A message begins inside another one")
    }
    let room = maximumMessageLength - (fragments?.count ?? 0)
    guard let length = Int(exactly: header.payloadLength), length <= room else {
      throw WebSocketError(.messageTooLong, "A message is longer than \(maximumMessageLength) bytes")
    }
    return length
  }

  private mutating func event(
    _ header: WebSocketHeader, _ payload: Bytes
  ) throws(WebSocketError) -> WebSocketEvent? {
    switch header.opcode {
    case .ping: return .ping(payload)
    case .pong: return .pong(payload)
    case .close: return try close(payload)
    case .text, .binary, .continuation: return try message(header, payload)
    }
  }

  private mutating func message(
    _ header: WebSocketHeader, _ payload: Bytes
  ) throws(WebSocketError) -> WebSocketEvent? {
    if header.isFinal, fragments == nil {
      return try message(payload, isText: header.opcode == .text)
    }
    var whole = fragments ?? WebSocketFragments(isText: header.opcode == .text)
    fragments = nil
    whole.append(payload)
    guard header.isFinal else {
      fragments = whole
      return nil
    }
    let pieces = whole.takePieces()
    if whole.count > longLength, pieces.count > 1 { return .pieces(pieces, isText: whole.isText) }
    return try message(Self.join(pieces), isText: whole.isText)
  }

  private func message(_ bytes: Bytes, isText: Bool) throws(WebSocketError) -> WebSocketEvent {
    if isText, bytes.count <= longLength { try Self.checkText(bytes) }
    return .message(bytes, isText: isText)
  }

  /// Joins several pieces.
  public static func join(_ pieces: [Bytes]) -> Bytes {
    if pieces.count == 1 { return pieces[0] }
    var whole = ByteBuffer()
    whole.reserve(pieces.byteCount)
    for piece in pieces { whole.append(piece) }
    return whole.takeAll()
  }

  /// Checks that a text message is UTF-8 (RFC 6455, section 8.1).
  public static func checkText(_ bytes: Bytes) throws(WebSocketError) {
    guard bytes.withSpan(UTF8Check.isValid) else {
      throw WebSocketError(.invalidText, "A text message is not UTF-8")
    }
  }

  private mutating func close(_ payload: Bytes) throws(WebSocketError) -> WebSocketEvent {
    state = .closed
    fragments = nil
    guard !payload.isEmpty else { return .close(code: nil, reason: "") }
    guard payload.count >= 2 else {
      throw WebSocketError(.invalidFrame, "A close frame has a truncated code")
    }
    let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
    guard WebSocketFrame.isSendable(closeCode: code) else {
      throw WebSocketError(.invalidFrame, "A close frame has the invalid code \(code)")
    }
    guard let reason = String(validating: payload[2...]) else {
      throw WebSocketError(.invalidText, "The reason of a close frame is not UTF-8")
    }
    return .close(code: code, reason: reason)
  }
}

/// What a peer has said over a WebSocket.
public enum WebSocketEvent: Equatable, Sendable {
  /// A whole message. Text is known to be UTF-8, unless it is long, as the parser was told.
  case message(Bytes, isText: Bool)
  /// A whole message that is long and came in several frames, whose payloads these are. Text may be none.
  case pieces([Bytes], isText: Bool)
  /// To be answered by a pong with the same bytes.
  case ping(Bytes)
  /// The answer to a ping, or a sign of life that nobody asked for.
  case pong(Bytes)
  /// The peer closes, and says nothing after this. To be answered by a close frame, unless one was sent before.
  case close(code: UInt16?, reason: String)
}
