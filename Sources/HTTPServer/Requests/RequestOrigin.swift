import Bytes
import Wire

/// Where the page comes from that has made a browser send a request: `Origin` (RFC 6454, 7).
struct RequestOrigin {
  private static let schemes: [(prefix: Bytes, defaultPort: UInt16)] = [("http://", 80), ("https://", 443)]

  private let host: HTTPHost
  private let defaultPort: UInt16

  /// Parses a field's value; nil for `null`, which pages send that have no origin to name, and for other schemes.
  init?(_ value: Bytes) {
    guard let scheme = Self.schemes.first(where: { value.hasPrefix($0.prefix) }),
      let host = HTTPHost(value[scheme.prefix.count...])
    else { return nil }
    self.host = host
    defaultPort = scheme.defaultPort
  }

  /// True where the page is of the server that a request to `server` is meant for. Whether that was reached by TLS a proxy
  /// alone knows.
  func isSame(as server: HTTPHost) -> Bool { host.isSame(as: server, defaultPort: defaultPort) }
}
