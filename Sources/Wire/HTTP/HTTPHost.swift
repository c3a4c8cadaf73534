/// The host that a request is meant for, with its port: `localhost:49999`, `[::1]` (RFC 3986, 3.2.2 and 3.2.3).
public struct HTTPHost: Sendable, Equatable {
  /// The name or address in small letters, an IPv6 address without its brackets.
  public let name: String
  /// The port, where one is given.
  public let port: UInt16?

  /// Parses `text`; nil when it names no host.
  public init?(_ text: String) {
    let bytes = text.utf8
    let name: Substring.UTF8View
    var rest: Substring.UTF8View
    if bytes.first == UInt8(ascii: "[") {
      guard let end = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
      name = bytes[bytes.index(after: bytes.startIndex)..<end]
      rest = bytes[bytes.index(after: end)...]
      guard !name.isEmpty, name.allSatisfy({ $0.hexadecimalValue != nil || $0 == .colon || $0 == 0x2E })
      else {
        return nil
      }
    } else {
      name = bytes.prefix { $0 != .colon }
      rest = bytes[name.endIndex...]
      guard !name.isEmpty, name.allSatisfy(\.isRegisteredName) else { return nil }
    }
    guard let port = Self.parsePort(&rest) else { return nil }
    self.name = String(decoding: name.map(\.lowercased), as: UTF8.self)
    self.port = port
  }

  /// True for `localhost`, names below it, and the addresses of the loopback interface. Anything else that leads
  /// here came by a name that somebody else controls (DNS rebinding).
  public var isLoopback: Bool {
    if name == "localhost" || name.hasSuffix(".localhost") || name == "::1" { return true }
    let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0].elementsEqual("127".utf8)
      && parts.allSatisfy {
        (1...3).contains($0.count) && $0.allSatisfy(\.isDigit) && (Int(Substring($0)) ?? 256) < 256
      }
  }

  /// The port after a colon: `.some(nil)` where there is none or an empty one, nil where it is wrong.
  private static func parsePort(_ rest: inout Substring.UTF8View) -> UInt16?? {
    guard let first = rest.popFirst() else { return .some(nil) }
    guard first == .colon, rest.allSatisfy(\.isDigit) else { return nil }
    if rest.isEmpty { return .some(nil) }
    guard let port = UInt16(Substring(rest)) else { return nil }
    return .some(port)
  }

  /// Asks for one `Host` that is a host, or is empty; HTTP/1.0 may do without (RFC 9112, 3.2).
  static func check(_ fields: HTTPFields, version: HTTPVersion) throws(HTTPError) {
    switch fields.count(of: "Host") {
    case 0:
      guard version == .http10 else { throw HTTPError(.malformedHost, "The Host field is missing") }
    case 1:
      guard let host = fields.first("Host"), host.isEmpty || HTTPHost(host) != nil else {
        throw HTTPError(.malformedHost, "The Host field names no host")
      }
    default: throw HTTPError(.malformedHost, "More than one Host field")
    }
  }
}

extension UInt8 {
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
