extension HTTPHost {
  /// Names below these are not in the public DNS: RFC 6761, 6.3; RFC 6762, 3; reserved by ICANN for private use; names of
  /// services in a Kubernetes cluster.
  private static let privateDomains = [".localhost", ".local", ".internal", ".svc"]
  /// The longest name in the DNS, in bytes (RFC 1035, 2.3.4).
  private static let longestName = 253

  /// True for what nobody can make lead here by a record in the public DNS (DNS rebinding): addresses, names without a dot,
  /// and names below `.localhost`, `.local`, `.internal` and `.svc`.
  public var isLocal: Bool {
    if isIPv6Address { return true }
    guard isName else { return false }
    let name = relativeName
    return !name.utf8.contains(UInt8(ascii: ".")) || isIPv4Address
      || Self.privateDomains.contains { name.utf8.count > $0.utf8.count && name.hasSuffix($0) }
  }

  /// True of what may be a name in the DNS, or that of a container: letters, digits, hyphens, dots and underscores.
  public var isName: Bool { name.utf8.count <= Self.longestName && name.utf8.allSatisfy(\.isHostName) }

  /// The name without the dot of the root that may end it: `localhost.` is `localhost` (RFC 1034, 3.1).
  public var relativeName: String {
    name.utf8.count > 1 && name.utf8.last == UInt8(ascii: ".") ? String(name.dropLast()) : name
  }

  /// Only what stood in brackets has colons.
  private var isIPv6Address: Bool { name.utf8.contains(.colon) }

  /// One to four numbers, as inet_aton(3) takes them: what ends in a number is an address to every browser, or nothing
  /// (URL Standard, "ends in a number").
  private var isIPv4Address: Bool {
    let parts = relativeName.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count <= 4 else { return false }
    let numbers = parts.compactMap { $0.allSatisfy(\.isDigit) ? UInt32(Substring($0)) : nil }
    guard numbers.count == parts.count, let last = numbers.last else { return false }
    // The last one stands for all bytes that are left.
    return numbers.dropLast().allSatisfy { $0 < 256 } && UInt64(last) < 1 << (8 * (5 - UInt64(parts.count)))
  }

  /// True where both are the same host and port, each without a port meaning `defaultPort`.
  public func isSame(as other: HTTPHost, defaultPort: UInt16) -> Bool {
    relativeName == other.relativeName && (port ?? defaultPort) == (other.port ?? defaultPort)
  }
}

extension UInt8 {
  fileprivate var isHostName: Bool {
    isDigit || isLetter || self == UInt8(ascii: "-") || self == UInt8(ascii: ".") || self == UInt8(ascii: "_")
  }
}
