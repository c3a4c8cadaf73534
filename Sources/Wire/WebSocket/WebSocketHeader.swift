/// The header of a frame (RFC 6455, section 5.2).
struct WebSocketHeader: FrameHeader {
  let opcode: WebSocketFrame.Opcode
  /// True for the last or only frame of a message.
  let isFinal: Bool
  /// The length of the payload, in bytes.
  let payloadLength: UInt64
  /// The length of the header itself, in bytes.
  let length: Int

  /// Parses the header of a server's frame, which is never masked.
  static func parse(_ span: Span<UInt8>) throws(WebSocketError) -> WebSocketHeader? {
    guard span.count >= 1 else { return nil }
    guard span[0] & 0x70 == 0 else { throw invalid("A frame uses an extension that was not negotiated") }
    guard let opcode = WebSocketFrame.Opcode(rawValue: span[0] & 0x0F) else {
      throw invalid("A frame has the unknown opcode \(span[0] & 0x0F)")
    }
    let isFinal = span[0] & 0x80 != 0
    guard isFinal || !opcode.isControl else { throw invalid("A control frame is fragmented") }
    guard span.count >= 2 else { return nil }
    guard span[1] & 0x80 == 0 else { throw invalid("A frame from the server is masked") }
    let short = span[1] & 0x7F
    guard short <= WebSocketFrame.maximumControlLength || !opcode.isControl else {
      throw invalid("A control frame is longer than \(WebSocketFrame.maximumControlLength) bytes")
    }
    guard let payloadLength = try payloadLength(span, short: short) else { return nil }
    return WebSocketHeader(
      opcode: opcode, isFinal: isFinal, payloadLength: payloadLength, length: 2 + extendedLength(short))
  }

  private static func payloadLength(_ span: Span<UInt8>, short: UInt8) throws(WebSocketError) -> UInt64? {
    let extended = extendedLength(short)
    guard extended > 0 else { return UInt64(short) }
    guard span.count >= 2 + extended else { return nil }
    let length = span.bigEndian(2..<2 + extended)
    guard length >> 63 == 0 else { throw invalid("A frame has a length of more than 63 bits") }
    guard length > (extended == 2 ? 125 : 0xFFFF) else {
      throw invalid("A frame's length is not in its shortest form")
    }
    return length
  }

  private static func extendedLength(_ short: UInt8) -> Int {
    switch short {
    case 126: 2
    case 127: 8
    default: 0
    }
  }

  private static func invalid(_ message: String) -> WebSocketError { WebSocketError(.invalidFrame, message) }
}
