public import Bytes

/// Parses the frames of a peer (ZMTP 3.0, and the commands of 3.1 that peers send unsolicited). An error is final.
///
/// https://rfc.zeromq.org/spec/23/
public struct ZMTPParser: Sendable {
  /// The default limit of all parts of a message, in bytes.
  public static let defaultMaximumMessageLength = 256 << 20
  /// The limit of parts in a message. Jupyter's have seven, and one for each buffer of a widget.
  static let maximumPartCount = 1 << 16
  private static let usualPartCount = 8

  /// The length of the buffer once the incomplete frame at its front is complete; nil if that is not known. Set when
  /// `next` has returned nil. A stream that reserves that much reads the frame to its final place.
  public var wantedTotal: Int? { frames.wantedTotal }

  private enum State {
    case greeting
    case handshake
    case open
    case failed(ZMTPError)
  }

  private let type: ZMTPSocketType
  private let maximumMessageLength: Int
  private var state = State.greeting
  private var frames = FrameReader<ZMTPHeader>()
  private var parts: [Bytes] = []
  private var length = 0

  /// A parser for a connection of a socket of type `type`, from its first byte.
  public init(for type: ZMTPSocketType, maximumMessageLength: Int = defaultMaximumMessageLength) {
    self.type = type
    // Leaves room to add the length of a header.
    self.maximumMessageLength = min(max(maximumMessageLength, 0), Int.max - 64)
  }

  /// The next event, which is taken from `buffer`; nil if it is incomplete. The parts of a message share the buffer's
  /// memory.
  public mutating func next(_ buffer: inout ByteBuffer) throws(ZMTPError) -> ZMTPEvent? {
    do throws(ZMTPError) {
      switch state {
      case .greeting: return try nextGreeting(&buffer)
      case .handshake, .open: return try nextEvent(&buffer)
      case .failed(let error): throw error
      }
    } catch {
      frames = FrameReader()
      parts = []
      state = .failed(error)
      throw error
    }
  }

  private mutating func nextGreeting(_ buffer: inout ByteBuffer) throws(ZMTPError) -> ZMTPEvent? {
    let isWhole = try buffer.withSpan { (span) throws(ZMTPError) in try ZMTPGreeting.check(span) }
    guard isWhole else { return nil }
    buffer.discard(ZMTPGreeting.length)
    state = .handshake
    return .greeting
  }

  private mutating func nextEvent(_ buffer: inout ByteBuffer) throws(ZMTPError) -> ZMTPEvent? {
    while let (header, body) = try nextFrame(&buffer) {
      if header.isCommand {
        if let event = try event(for: ZMTPCommand(body)) { return event }
      } else if let message = append(body, isFollowed: header.isFollowed) {
        return .message(message)
      }
    }
    return nil
  }

  private mutating func nextFrame(_ buffer: inout ByteBuffer) throws(ZMTPError) -> (ZMTPHeader, Bytes)? {
    guard let header = try frames.header(in: buffer),
      let body = frames.body(try bodyLength(header), behind: header, from: &buffer)
    else { return nil }
    return (header, body)
  }

  /// The length of the body, if the frame is allowed now.
  private func bodyLength(_ header: ZMTPHeader) throws(ZMTPError) -> Int {
    if header.isCommand {
      guard header.bodyLength <= ZMTPCommand.maximumLength else {
        throw ZMTPError(.invalidCommand, "A command is longer than \(ZMTPCommand.maximumLength) bytes")
      }
    } else {
      guard case .open = state else {
        throw ZMTPError(.invalidFrame, "A message precedes the READY command")
      }
      guard header.bodyLength <= UInt64(maximumMessageLength - length), parts.count < Self.maximumPartCount
      else {
        throw ZMTPError(
          .messageTooLong,
          "A message is longer than \(maximumMessageLength) bytes or \(Self.maximumPartCount) parts")
      }
    }
    return Int(header.bodyLength)
  }

  /// The message, if this was its last part.
  private mutating func append(_ part: Bytes, isFollowed: Bool) -> [Bytes]? {
    if parts.isEmpty { parts.reserveCapacity(Self.usualPartCount) }
    parts.append(part)
    length += part.count
    guard !isFollowed else { return nil }
    length = 0
    return exchange(&parts, with: [])
  }

  private mutating func event(for command: ZMTPCommand) throws(ZMTPError) -> ZMTPEvent? {
    switch command {
    case .ready(let name):
      guard case .handshake = state else {
        throw ZMTPError(.invalidCommand, "The peer has sent READY more than once")
      }
      guard let peer = name.ascii(atMost: ZMTPSocketType.longestName).flatMap(ZMTPSocketType.init(rawValue:)),
        type.speaks(to: peer)
      else {
        throw ZMTPError(.refused, "The peer's socket type is not compatible with \(type.rawValue)")
      }
      state = .open
      return .ready(peer)
    case .error(let reason): throw ZMTPError(.refused, "The peer refused the connection: \(reason)")
    case .ping(let context): return .ping(context)
    case .other: return nil
    }
  }
}

/// What a peer has said by ZMTP.
public enum ZMTPEvent: Equatable, Sendable {
  /// Its greeting, once and first: it is to be told of our socket.
  case greeting
  /// What its socket is, once and second: messages may go both ways.
  case ready(ZMTPSocketType)
  /// A whole message: all its parts, at least one, in the memory that they arrived in.
  case message([Bytes])
  /// To be answered by `ZMTPFrame.encodePong` with the same bytes.
  case ping(Bytes)
}
