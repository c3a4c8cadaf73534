public import Bytes

/// Percent-encoding (RFC 3986, 2.1).
public enum PercentCoding {
  /// `text` decoded once. Throws `malformedTarget` for a `%` without two hexadecimal digits. The result need not be UTF-8
  /// and may have NUL.
  public static func decode(_ text: Bytes, plusIsSpace: Bool = false) throws(HTTPProtocolError) -> Bytes {
    let isPlain = text.allSatisfy { $0 != UInt8(ascii: "%") && !(plusIsSpace && $0 == UInt8(ascii: "+")) }
    if isPlain { return text }
    var decoded: [UInt8] = []
    decoded.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      switch text[index] {
      case UInt8(ascii: "%"):
        guard index + 2 < text.count, let high = text[index + 1].hexadecimalValue,
          let low = text[index + 2].hexadecimalValue
        else {
          throw HTTPProtocolError(
            .malformedTarget, "A % in the request target is not followed by two hexadecimal digits")
        }
        decoded.append(high << 4 | low)
        index += 2
      case UInt8(ascii: "+") where plusIsSpace: decoded.append(.space)
      default: decoded.append(text[index])
      }
      index += 1
    }
    return Bytes(decoded)
  }

  /// `text` decoded once, as UTF-8. Throws `malformedTarget` as `decode` does, and if the result is not UTF-8.
  public static func decodeText(_ text: Bytes, plusIsSpace: Bool = false) throws(HTTPProtocolError) -> Bytes {
    let decoded = try decode(text, plusIsSpace: plusIsSpace)
    guard decoded.withSpan(UTF8Check.isValid) else {
      throw HTTPProtocolError(.malformedTarget, "The request target is not UTF-8")
    }
    return decoded
  }

  /// `text` with all bytes encoded except the unreserved ones of RFC 3986, 2.3 and those of `keeping`.
  public static func encode(_ text: Bytes, keeping: StaticString = "") -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    let kept = keeping.withUTF8Buffer { Array($0) }
    var encoded: [UInt8] = []
    encoded.reserveCapacity(text.count)
    for index in 0..<text.count {
      let byte = text[index]
      if byte.isUnreserved || kept.contains(byte) {
        encoded.append(byte)
      } else {
        encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }
}

extension UInt8 {
  fileprivate var isUnreserved: Bool {
    isLetter || isDigit || self == UInt8(ascii: "-") || self == UInt8(ascii: ".") || self == UInt8(ascii: "_")
      || self == UInt8(ascii: "~")
  }
}
