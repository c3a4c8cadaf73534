import Bytes
import Wire

/// A server's side for tests: encodes its frames and decodes a client's.
enum ServerFrame {
  static func encode(
    _ opcode: WebSocketFrame.Opcode, _ payload: [UInt8], isFinal: Bool = true
  ) -> [UInt8] {
    [(isFinal ? 0x80 : 0) | opcode.rawValue] + length(payload.count) + payload
  }

  static func encode(
    _ opcode: WebSocketFrame.Opcode, _ payload: String, isFinal: Bool = true
  ) -> [UInt8] {
    encode(opcode, Array(payload.utf8), isFinal: isFinal)
  }

  /// A frame of a client, unmasked; nil if it is invalid.
  static func decode(_ frame: [UInt8]) -> (first: UInt8, payload: [UInt8])? {
    guard frame.count >= 6, frame[1] & 0x80 != 0 else { return nil }
    let extended = frame[1] & 0x7F == 127 ? 8 : frame[1] & 0x7F == 126 ? 2 : 0
    var length = Int(frame[1] & 0x7F)
    if extended > 0 { length = frame[2..<2 + extended].reduce(0) { $0 << 8 | Int($1) } }
    let key = Array(frame[2 + extended..<6 + extended])
    let masked = frame[(6 + extended)...]
    guard masked.count == length else { return nil }
    return (frame[0], masked.enumerated().map { $1 ^ key[$0 % 4] })
  }

  private static func length(_ count: Int) -> [UInt8] {
    switch count {
    case ...125: [UInt8(count)]
    case ...0xFFFF: [126] + bigEndian(count, 2)
    default: [127] + bigEndian(count, 8)
    }
  }

  private static func bigEndian(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }
}
