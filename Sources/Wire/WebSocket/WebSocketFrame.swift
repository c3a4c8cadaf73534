public import Bytes

/// Encodes the frames of a client, which are masked (RFC 6455, section 5).
public enum WebSocketFrame {
  /// The opcode of a frame.
  public enum Opcode: UInt8, Sendable {
    /// The continuation of a message.
    case continuation = 0x0
    /// UTF-8.
    case text = 0x1
    /// Any bytes.
    case binary = 0x2
    /// The close frame, the last one.
    case close = 0x8
    /// A ping.
    case ping = 0x9
    /// A pong.
    case pong = 0xA

    /// True for control frames, which may come between the frames of a message.
    var isControl: Bool { rawValue >= 0x8 }
  }

  /// The longest payload of a control frame (RFC 6455, section 5.5).
  static let maximumControlLength = 125

  /// A frame with the pieces of `payload`. Only the last frame of a message is final.
  ///
  /// The key must be new and unpredictable for each frame (RFC 6455, section 5.3). Masking is the only copy.
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

  /// A close frame. A reason that is too long is truncated after a whole character.
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

  /// True for the codes that are allowed in a close frame (RFC 6455, section 7.4, and later registrations): not 1005,
  /// 1006 and 1015, which are for local use.
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
