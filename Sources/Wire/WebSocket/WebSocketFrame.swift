public import Bytes

/// The client's side of a WebSocket, writing: what is said in, masked frames out (RFC 6455 section 5).
public enum WebSocketFrame {
  /// What a frame is.
  public enum Opcode: UInt8, Sendable {
    /// More of the message that a frame before this one began.
    case continuation = 0x0
    /// UTF-8.
    case text = 0x1
    /// Any bytes.
    case binary = 0x2
    /// The last frame of all.
    case close = 0x8
    /// Asks for a pong.
    case ping = 0x9
    /// Answers a ping.
    case pong = 0xA

    /// True for the frames that may stand between those of a message.
    var isControl: Bool { rawValue >= 0x8 }
  }

  /// The most bytes of a control frame's payload (RFC 6455 section 5.5).
  static let maximumControlLength = 125

  /// A frame whose payload is all of `payload` in turn. A message of one frame is final; of several, the last one is.
  ///
  /// The key must be fresh and unpredictable for each frame (RFC 6455 section 5.3). Masking is the one copy made.
  public static func encode(
    _ opcode: Opcode, _ payload: [Bytes], maskingKey: UInt32, isFinal: Bool = true
  ) -> [Bytes] {
    let length = payload.byteCount
    precondition(!opcode.isControl || (length <= maximumControlLength && isFinal))
    var frame = ByteBuffer()
    frame.reserve(14 + length)
    frame.append((isFinal ? 0x80 : 0) | opcode.rawValue)
    appendLength(length, to: &frame)
    frame.append(bigEndian: UInt64(maskingKey), byteCount: 4)
    var mask = WebSocketMask(key: maskingKey)
    for piece in payload { mask.append(piece, to: &frame) }
    return [frame.takeAll()]
  }

  /// A close frame. A reason that does not fit is cut behind a whole character.
  public static func encodeClose(code: UInt16?, reason: String = "", maskingKey: UInt32) -> [Bytes] {
    guard let code else { return encode(.close, [], maskingKey: maskingKey) }
    var payload = ByteBuffer()
    payload.append(bigEndian: UInt64(code), byteCount: 2)
    for scalar in reason.unicodeScalars {
      let bytes = UTF8.width(scalar)
      guard payload.count + bytes <= maximumControlLength else { break }
      payload.append(String(scalar))
    }
    return encode(.close, [payload.takeAll()], maskingKey: maskingKey)
  }

  /// True for the codes that may stand in a close frame (RFC 6455 section 7.4 and what was registered since): not 1005,
  /// 1006 and 1015, which only ever tell of what happened.
  static func isSendable(closeCode: UInt16) -> Bool {
    switch closeCode {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }

  private static func appendLength(_ length: Int, to frame: inout ByteBuffer) {
    let isMasked: UInt8 = 0x80
    switch length {
    case ...125:
      frame.append(isMasked | UInt8(length))
    case ...0xFFFF:
      frame.append(isMasked | 126)
      frame.append(bigEndian: UInt64(length), byteCount: 2)
    default:
      frame.append(isMasked | 127)
      frame.append(bigEndian: UInt64(length), byteCount: 8)
    }
  }
}
