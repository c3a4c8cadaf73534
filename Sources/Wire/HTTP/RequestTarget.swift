/// What a request is about: its target taken apart (RFC 9112, 3.2).
public struct RequestTarget: Sendable, Equatable {
  /// The path as it was sent, not decoded; begins with `/`, or is `*` for a request about the server as a whole.
  public let path: String
  /// What follows the first `?`, as it was sent; nil where there is none.
  public let query: String?
  /// The host of a target in absolute form, which stands above the `Host` field (RFC 9112, 3.2.2).
  public let host: HTTPHost?

  /// One `name=value` of a query, decoded.
  public struct QueryItem: Sendable, Equatable {
    /// What stands before the first `=`.
    public let name: String
    /// What stands after it; empty where there is no `=`.
    public let value: String
  }

  /// Takes `target` apart: origin form, absolute form, and `*` for `OPTIONS`. Throws `malformedTarget` for all others,
  /// `CONNECT`'s among them.
  public init(_ target: String, method: String) throws(HTTPError) {
    if target.utf8.first == UInt8(ascii: "/") {
      self.init(origin: target, host: nil)
    } else if target == "*", method == "OPTIONS" {
      self.init(origin: target, host: nil)
    } else {
      var rest = Substring(target)
      let host = try Self.takeAuthority(&rest)
      self.init(origin: String(rest), host: host)
    }
  }

  private init(origin: String, host: HTTPHost?) {
    self.host = host
    if let mark = origin.utf8.firstIndex(of: UInt8(ascii: "?")) {
      path = mark == origin.startIndex ? "/" : String(origin[..<mark])
      query = String(origin.utf8[mark...].dropFirst())
    } else {
      path = origin.isEmpty ? "/" : origin
      query = nil
    }
  }

  /// The path decoded once. Throws `malformedTarget` where it is not well encoded, not UTF-8, or holds NUL.
  public func decodedPath() throws(HTTPError) -> String { try Self.decode(Substring(path)) }

  /// A part of the path decoded once; throws as `decodedPath` does.
  public static func decode(_ part: Substring) throws(HTTPError) -> String {
    let decoded = try PercentCoding.decodeText(part)
    guard !decoded.utf8.contains(0) else { throw HTTPError(.malformedTarget, "The path holds NUL") }
    return decoded
  }

  /// The items of the query as forms write them (`+` is a space), in their order. Throws `malformedTarget` where
  /// they are not well encoded.
  public func queryItems() throws(HTTPError) -> [QueryItem] {
    var items: [QueryItem] = []
    // By bytes: a mark that combines with the character before it hides that from Swift.
    for item in (query ?? "").utf8.split(separator: UInt8(ascii: "&")) {
      let name = item.prefix { $0 != UInt8(ascii: "=") }
      let value = item[name.endIndex...].dropFirst()
      items.append(
        QueryItem(
          name: try PercentCoding.decodeText(Substring(name), plusIsSpace: true),
          value: try PercentCoding.decodeText(Substring(value), plusIsSpace: true)))
    }
    return items
  }

  /// The value of the first item of the query called `name`; throws as `queryItems` does.
  public func query(_ name: String) throws(HTTPError) -> String? {
    try queryItems().first { $0.name == name }?.value
  }

  /// Takes `http://host:port` from the front.
  private static func takeAuthority(_ rest: inout Substring) throws(HTTPError) -> HTTPHost {
    let scheme = rest.utf8.prefix { $0 != .colon }
    guard HTTPFields.isSame(scheme, "http".utf8) || HTTPFields.isSame(scheme, "https".utf8),
      rest[scheme.endIndex...].utf8.starts(with: "://".utf8)
    else { throw HTTPError(.malformedTarget, "The request target is neither a path nor an http URL") }
    let afterScheme = rest[scheme.endIndex...].dropFirst(3)
    let authority = afterScheme.prefix { $0 != "/" && $0 != "?" }
    guard let host = HTTPHost(String(authority)) else {
      throw HTTPError(.malformedTarget, "The request target names no host")
    }
    rest = afterScheme[authority.endIndex...]
    return host
  }
}
