import Bytes
import Wire

extension HTTPFields {
  /// The tokens that a request carries: `Authorization: Bearer TOKEN` (RFC 6750, 2.1), `X-Access-Token` and `X-API-Key`.
  var credentials: [Bytes] {
    var found: [Bytes] = []
    if let value = first("Authorization"), let token = Self.bearerToken(value) { found.append(token) }
    for name in ["X-Access-Token", "X-API-Key"] {
      if let token = first(name), !token.isEmpty { found.append(token) }
    }
    return found
  }

  /// What follows `Bearer`, a scheme without case (RFC 9110, 11.1), and its spaces; nil for another scheme.
  private static func bearerToken(_ value: Bytes) -> Bytes? {
    let space = UInt8(ascii: " ")
    let scheme = value.prefix(upTo: space)
    guard scheme.isEqual(ignoringCaseTo: "Bearer") else { return nil }
    let token = value[scheme.count...].trimming { $0 == space }
    return token.isEmpty ? nil : token
  }
}
