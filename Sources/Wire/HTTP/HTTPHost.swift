public import Bytes

/// The host that a request is meant for, with its port: `localhost:49999`, `[::1]` (RFC 3986, 3.2.2 and 3.2.3).
public struct HTTPHost: Sendable, Equatable {
  /// The name or address in small letters, an IPv6 address without its brackets.
  public let name: String
  /// The port, where one is given.
  public let port: UInt16?

  /// Parses `text`; nil when it names no host. The name is ASCII.
  public init?(_ text: Bytes) {
    guard let nameEnd = text.withSpan(Self.wellFormedNameEnd) else { return nil }
    let bytes = [UInt8](text)
    let isAddress = bytes.first == UInt8(ascii: "[")
    let name = isAddress ? bytes[1..<nameEnd - 1] : bytes[..<nameEnd]
    self.name = String(decoding: name.map(\.lowercased), as: UTF8.self)
    self.port = UInt16(String(decoding: bytes[nameEnd...].dropFirst(), as: UTF8.self))
  }

  /// Where the name ends, after its bracket if it has one; nil when this is not a host with or without a port.
  private static func wellFormedNameEnd(_ span: borrowing Span<UInt8>) -> Int? {
    var end = 0
    if !span.isEmpty, span[0] == UInt8(ascii: "[") {
      end = 1
      while end < span.count, span[end].isAddressPart { end += 1 }
      guard end > 1, end < span.count, span[end] == UInt8(ascii: "]") else { return nil }
      end += 1
    } else {
      while end < span.count, span[end].isRegisteredName { end += 1 }
      guard end > 0 else { return nil }
    }
    return isPort(span, from: end) ? end : nil
  }

  /// True for nothing, a colon, and a colon with a number of 16 bits.
  private static func isPort(_ span: borrowing Span<UInt8>, from start: Int) -> Bool {
    guard start < span.count else { return true }
    guard span[start] == .colon, span.count - start <= 6 else { return false }
    var port = 0
    for index in start + 1..<span.count {
      guard span[index].isDigit else { return false }
      port = port * 10 + Int(span[index] & 15)
    }
    return port <= 65_535
  }

  /// Asks for one `Host` that is a host, or is empty; HTTP/1.0 may do without (RFC 9112, 3.2).
  static func check(_ fields: HTTPFields, version: HTTPVersion) throws(HTTPProtocolError) {
    let (host, count) = fields.occurrences("Host")
    guard let host else {
      if version == .http10 { return }
      throw HTTPProtocolError(.malformedHost, "The Host field is missing")
    }
    guard count == 1 else { throw HTTPProtocolError(.malformedHost, "More than one Host field") }
    guard host.isEmpty || host.withSpan(wellFormedNameEnd) != nil else {
      throw HTTPProtocolError(.malformedHost, "The Host field names no host")
    }
  }
}

extension UInt8 {
  /// What an address in brackets is made of.
  fileprivate var isAddressPart: Bool {
    hexadecimalValue != nil || self == .colon || self == UInt8(ascii: ".")
  }

  /// unreserved, sub-delims and `%` of RFC 3986: what a registered name is made of.
  fileprivate var isRegisteredName: Bool {
    switch self {
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "%"),
      UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("),
      UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: ";"),
      UInt8(ascii: "="):
      true
    default: isDigit || isLetter
    }
  }
}
