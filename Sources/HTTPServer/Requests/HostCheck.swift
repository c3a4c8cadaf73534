import Bytes
import Loop
import Wire

/// Refuses requests that a page of another site may have made a browser send: those whose `Host` may be a name of that
/// site (DNS rebinding), and those whose `Origin` is neither this server nor an allowed one.
@LoopActor
struct HostCheck {
  private let allowedHosts: [AllowedHost]
  private let allowedOrigins: [Origin]
  private let allowsAnyHost: @LoopActor () -> Bool
  /// The last `Host` that passed. Most clients send the same one again.
  private var lastAllowedHost: Bytes?

  init(allowedHosts: [AllowedHost], allowedOrigins: [Origin], allowsAnyHost: @escaping @LoopActor () -> Bool)
  {
    self.allowedHosts = allowedHosts
    self.allowedOrigins = allowedOrigins
    self.allowsAnyHost = allowsAnyHost
  }

  /// - Returns: the allowed origin of the page that sent the request; nil for a page of this server, or none.
  /// - Throws: 421 and 403. HTTP/1.0 requests may lack `Host`.
  mutating func check(_ target: RequestTarget, _ fields: HTTPFields) throws(HTTPErrorResponse) -> Origin? {
    let field = fields.first("Host")
    let hasOrigin = fields.first("Origin") != nil
    if target.host == nil, !hasOrigin, field == lastAllowedHost { return nil }
    let host = target.host ?? field.flatMap(HTTPHost.init)
    if let host, !allows(host) {
      throw HTTPErrorResponse(
        421,
        "Host \(host.name) is not allowed. Use an address of this server, or start it with --allowed-host \(host.name)"
      )
    }
    if hasOrigin { return try check(fields.all("Origin"), of: host) }
    if target.host == nil { lastAllowedHost = field }
    return nil
  }

  private func check(_ values: [Bytes], of host: HTTPHost?) throws(HTTPErrorResponse) -> Origin? {
    var found: Origin?
    for value in values {
      guard let origin = Origin(value) else { throw refusal(of: value) }
      if allowedOrigins.contains(origin) {
        found = origin
      } else if host.map(origin.isSame) != true {
        throw refusal(of: value)
      }
    }
    return found
  }

  private func refusal(of origin: Bytes) -> HTTPErrorResponse {
    HTTPErrorResponse(
      403,
      "Origin \(origin) is not allowed. It must match Host, or the server must be started with --allowed-origin \(origin)"
    )
  }

  private func allows(_ host: HTTPHost) -> Bool {
    host.isLocal || allowedHosts.contains { $0.allows(host) } || allowsAnyHost()
  }
}
