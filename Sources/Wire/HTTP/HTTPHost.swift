public import Bytes

/// The host that a request is meant for, with its port: `localhost:49999`, `[::1]` (RFC 3986, 3.2.2 and 3.2.3).
public struct HTTPHost: Sendable, Equatable {
  /// The name or address in lowercase, an IPv6 address without its brackets.
  public let name: String
  /// The port, if there is one.
  public let port: UInt16?

  /// Parses `text`; nil if it is no host. The name is ASCII.
  public init?(_ text: Bytes) {
    guard let nameEnd = text.withSpan(Self.wellFormedNameEnd) else { return nil }
    let bytes = [UInt8](text)
    let isAddress = bytes.first == UInt8(ascii: "[")
    let name = isAddress ? bytes[1..<nameEnd - 1] : bytes[..<nameEnd]
    self.name = String(decoding: name.map(\.lowercased), as: UTF8.self)
    self.port = UInt16(String(decoding: bytes[nameEnd...].dropFirst(), as: UTF8.self))
  }

  /// Where the name ends, after its bracket if it has one; nil if this is no host with or without a port.
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

  /// True for nothing, a colon, and a colon with a 16-bit number.
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

  /// Requires one `Host` that is a host or empty; in HTTP/1.0 it may be missing (RFC 9112, 3.2).
  static func check(_ fields: HTTPFields, version: HTTPVersion) throws(HTTPProtocolError) {
    let (host, count) = fields.occurrences("Host")
    guard let host else {
      if version == .http10 { return }
      throw HTTPProtocolError(.malformedHost, "The Host field is missing")
    }
    guard count == 1 else { throw HTTPProtocolError(.malformedHost, "More than one Host field") }
    guard host.isEmpty || host.withSpan(wellFormedNameEnd) != nil else {
      throw HTTPProtocolError(.malformedHost, "The Host field is neither a name nor an address")
    }
  }
}

extension HTTPHost {
  /// Names below these are not in the public DNS: RFC 6761, 6.3; RFC 6762, 3; `.internal`, which ICANN reserves for
  /// private use; Kubernetes services.
  private static let privateDomains = [".localhost", ".local", ".internal", ".svc"]
  /// In bytes (RFC 1035, 2.3.4).
  private static let longestName = 253

  /// True if no record in the public DNS can make the host lead here (DNS rebinding): addresses, names without a dot, and
  /// names below `.localhost`, `.local`, `.internal` and `.svc`.
  public var isLocal: Bool {
    if isIPv6Address { return true }
    guard isName else { return false }
    let name = relativeName
    return !name.utf8.contains(UInt8(ascii: ".")) || isIPv4Address
      || Self.privateDomains.contains { name.utf8.count > $0.utf8.count && name.hasSuffix($0) }
  }

  /// True if it may be a name in the DNS or of a container: letters, digits, hyphens, dots and underscores.
  public var isName: Bool { name.utf8.count <= Self.longestName && name.utf8.allSatisfy(\.isHostName) }

  /// The name without the dot of the root at its end: `localhost.` is `localhost` (RFC 1034, 3.1).
  public var relativeName: String {
    name.utf8.count > 1 && name.utf8.last == UInt8(ascii: ".") ? String(name.dropLast()) : name
  }

  /// Only names from brackets have colons.
  private var isIPv6Address: Bool { name.utf8.contains(.colon) }

  /// One to four numbers, as inet_aton(3) takes them: browsers take what ends in a number for an address (URL Standard,
  /// "ends in a number").
  private var isIPv4Address: Bool {
    let parts = relativeName.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count <= 4 else { return false }
    let numbers = parts.compactMap { $0.allSatisfy(\.isDigit) ? UInt32(Substring($0)) : nil }
    guard numbers.count == parts.count, let last = numbers.last else { return false }
    // The last one is all bytes that are left.
    return numbers.dropLast().allSatisfy { $0 < 256 } && UInt64(last) < 1 << (8 * (5 - UInt64(parts.count)))
  }

  /// True if both are the same host and port; a missing port is `defaultPort`.
  public func isSame(as other: HTTPHost, defaultPort: UInt16) -> Bool {
    relativeName == other.relativeName && (port ?? defaultPort) == (other.port ?? defaultPort)
  }
}

extension UInt8 {
  /// A byte of an address in brackets.
  fileprivate var isAddressPart: Bool {
    hexadecimalValue != nil || self == .colon || self == UInt8(ascii: ".")
  }

  /// A byte of a registered name: unreserved, sub-delims and `%` of RFC 3986.
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

  /// A letter, digit, hyphen, dot or underscore.
  fileprivate var isHostName: Bool {
    isDigit || isLetter || self == UInt8(ascii: "-") || self == UInt8(ascii: ".") || self == UInt8(ascii: "_")
  }
}
