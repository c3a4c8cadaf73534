public import Bytes

/// Converts strings between JSON and Swift, and edits them while they are escaped.
///
/// "Contents" are the bytes between the quotes of a valid JSON string.
public enum JSONString {
  /// The JSON string for `text`, with its quotes.
  public static func quote(_ text: String) -> Bytes { quote(Bytes(text)) }

  /// The JSON string for `text` in UTF-8, with its quotes.
  static func quote(_ text: Bytes) -> Bytes {
    var buffer = ByteBuffer()
    append(quoting: text, to: &buffer)
    return buffer.takeAll()
  }

  /// Appends the JSON string that says `bytes`, which are UTF-8, quotes included. Only what must be escaped is.
  static func append(quoting bytes: Bytes, to buffer: inout ByteBuffer) {
    buffer.reserve(bytes.count + 2)
    buffer.append(UInt8(ascii: "\""))
    var start = 0
    while start < bytes.count {
      let end = bytes.withSpan { ByteSearch<NeedsEscape>.first(in: $0, from: start) }
      buffer.append(bytes[start..<end])
      if end < bytes.count { appendEscape(of: bytes[end], to: &buffer) }
      start = end + 1
    }
    buffer.append(UInt8(ascii: "\""))
  }

  private static func appendEscape(of byte: UInt8, to buffer: inout ByteBuffer) {
    buffer.append(UInt8(ascii: "\\"))
    switch byte {
    case 0x08: buffer.append(UInt8(ascii: "b"))
    case 0x09: buffer.append(UInt8(ascii: "t"))
    case 0x0A: buffer.append(UInt8(ascii: "n"))
    case 0x0C: buffer.append(UInt8(ascii: "f"))
    case 0x0D: buffer.append(UInt8(ascii: "r"))
    case ..<0x20:
      buffer.append(byte < 0x10 ? "u000" : "u001")
      buffer.append(hexadecimal(byte & 0x0F))
    default: buffer.append(byte)
    }
  }

  private static func hexadecimal(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }
}
