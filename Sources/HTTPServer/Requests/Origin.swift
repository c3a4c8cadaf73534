public import Bytes
import Wire

/// The site of a page whose script sends requests: scheme, host and port (RFC 6454).
public struct Origin: Sendable {
  private static let schemeEnd: Bytes = "://"
  /// In bytes. The longest known one, `safari-web-extension`, has 20.
  private static let longestScheme = 32

  private let scheme: String
  private let host: HTTPHost

  /// Parses the value of an `Origin` field; nil for `null`, which stands for an opaque origin.
  public init?(_ value: Bytes) {
    let scheme = value.prefix(upTo: UInt8(ascii: ":"))
    guard let name = scheme.ascii(atMost: Self.longestScheme), !name.isEmpty,
      value[scheme.count...].hasPrefix(Self.schemeEnd),
      let host = HTTPHost(value[(scheme.count + Self.schemeEnd.count)...]), host.isName || host.isLocal
    else { return nil }
    self.scheme = name.lowercased()
    self.host = host
  }

  private var defaultPort: UInt16? {
    switch scheme {
    case "http": 80
    case "https": 443
    default: nil
    }
  }

  /// True if the page came from the server `server`, over either scheme: only a proxy knows which one.
  func isSame(as server: HTTPHost) -> Bool {
    guard let defaultPort else { return false }
    return host.isSame(as: server, defaultPort: defaultPort)
  }
}

extension Origin: Equatable {
  /// True if all three parts are the same. An absent port is that of the scheme.
  public static func == (left: Origin, right: Origin) -> Bool {
    left.scheme == right.scheme && left.host.isSame(as: right.host, defaultPort: left.defaultPort ?? 0)
  }
}

extension Origin: CustomStringConvertible {
  /// The form in which browsers send it (RFC 6454, 6.1).
  public var description: String {
    let name = host.name.utf8.contains(UInt8(ascii: ":")) ? "[\(host.name)]" : host.name
    guard let port = host.port, port != defaultPort else { return "\(scheme)://\(name)" }
    return "\(scheme)://\(name):\(port)"
  }
}
