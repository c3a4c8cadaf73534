import Bytes
import Wire

/// Refuses requests that a page of another site may have made a browser send: those whose `Host` may be a name of that
/// site (DNS rebinding), and those whose `Origin` is not this server.
struct HostCheck {
  private let allowedHosts: [AllowedHost]
  /// The last `Host` that passed. Most clients send the same one again.
  private var lastAllowedHost: Bytes?

  init(allowedHosts: [AllowedHost]) { self.allowedHosts = allowedHosts }

  /// - Throws: 421 and 403. HTTP/1.0 requests may lack `Host`.
  mutating func check(_ target: RequestTarget, _ fields: HTTPFields) throws(HTTPErrorResponse) {
    let field = fields.first("Host")
    let origin = fields.first("Origin")
    if target.host == nil, origin == nil, field == lastAllowedHost { return }
    let host = target.host ?? field.flatMap(HTTPHost.init)
    if let host, !allows(host) {
      throw HTTPErrorResponse(
        421,
        "Host \(host.name) is not allowed. Use an address of this server, or start it with --allowed-host \(host.name)"
      )
    }
    if origin != nil {
      for value in fields.all("Origin") {
        guard let host, RequestOrigin(value)?.isSame(as: host) ?? false else {
          throw HTTPErrorResponse(
            403, "Origin \(value) is not allowed. It must match Host")
        }
      }
    } else if target.host == nil {
      lastAllowedHost = field
    }
  }

  private func allows(_ host: HTTPHost) -> Bool { host.isLocal || allowedHosts.contains { $0.allows(host) } }
}

/// A name that `Host` may have besides local ones: `box.example.com`, or `*.example.com` for all names below
/// `example.com`.
public struct AllowedHost: Sendable, Equatable {
  /// Lowercase. A leading dot stands for all names that end so.
  private let name: String

  /// Parses `text`; nil if it is no name, or has a port.
  public init?(_ text: String) {
    let bytes = Bytes(text)
    let isSuffix = bytes.hasPrefix("*.")
    guard let host = HTTPHost(isSuffix ? bytes[2...] : bytes), host.port == nil, host.isName else {
      return nil
    }
    name = isSuffix ? "." + host.relativeName : host.relativeName
  }

  func allows(_ host: HTTPHost) -> Bool {
    let isSuffix = name.utf8.first == UInt8(ascii: ".")
    return isSuffix ? host.relativeName.hasSuffix(name) : host.relativeName == name
  }
}

/// The site of the page whose script sent a request: `Origin` (RFC 6454, 7).
struct RequestOrigin {
  private static let schemes: [(prefix: Bytes, defaultPort: UInt16)] = [("http://", 80), ("https://", 443)]

  private let host: HTTPHost
  private let defaultPort: UInt16

  /// Parses a field's value; nil for other schemes and for `null`, which stands for an opaque origin.
  init?(_ value: Bytes) {
    guard let scheme = Self.schemes.first(where: { value.hasPrefix($0.prefix) }),
      let host = HTTPHost(value[scheme.prefix.count...])
    else { return nil }
    self.host = host
    defaultPort = scheme.defaultPort
  }

  /// True if the page came from the server `server`, over either scheme: only a proxy knows which one.
  func isSame(as server: HTTPHost) -> Bool { host.isSame(as: server, defaultPort: defaultPort) }
}
