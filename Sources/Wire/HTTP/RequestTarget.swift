public import Bytes

/// The parts of a request target (RFC 9112, 3.2), as UTF-8 bytes.
public struct RequestTarget: Sendable, Equatable {
  /// The path as it was sent, not decoded. It begins with `/`, or is `*` for a request about the whole server.
  public let path: Bytes
  /// The text after the first `?`, as it was sent; nil if there is none.
  let query: Bytes?
  /// The host of a target in absolute form, which overrides the `Host` field (RFC 9112, 3.2.2).
  public let host: HTTPHost?

  /// One `name=value` of a query, decoded.
  struct QueryItem: Equatable {
    let name: Bytes
    /// Empty if there is no `=`.
    let value: Bytes
  }

  /// Parses `target` in origin form, absolute form, and `*` for `OPTIONS`. Throws `malformedTarget` for others, such as
  /// that of `CONNECT`.
  init(_ target: Bytes, method: String) throws(HTTPProtocolError) {
    let isOfServer = method == "OPTIONS" && target.isEqual(to: "*")
    if isOfServer || (!target.isEmpty && target[0] == UInt8(ascii: "/")) {
      self.init(origin: target, host: nil)
    } else {
      var rest = target
      let host = try Self.takeAuthority(&rest)
      self.init(origin: rest, host: host)
    }
  }

  private init(origin: Bytes, host: HTTPHost?) {
    self.host = host
    let path = origin.prefix(upTo: UInt8(ascii: "?"))
    self.path = path.isEmpty ? "/" : path
    query = path.count < origin.count ? origin[(path.count + 1)...] : nil
  }

  /// The path decoded once. Throws `malformedTarget` if it is malformed, not UTF-8, or has NUL.
  public func decodedPath() throws(HTTPProtocolError) -> Bytes { try Self.decode(path) }

  /// A part of the path decoded once; throws as `decodedPath` does.
  public static func decode(_ part: Bytes) throws(HTTPProtocolError) -> Bytes {
    let decoded = try PercentCoding.decodeText(part)
    guard decoded.firstIndex(of: 0) == nil else {
      throw HTTPProtocolError(.malformedTarget, "The path has NUL")
    }
    return decoded
  }

  /// The items of the query in their order, in the encoding of forms (`+` is a space). Throws `malformedTarget` if that is
  /// malformed.
  func queryItems() throws(HTTPProtocolError) -> [QueryItem] {
    var items: [QueryItem] = []
    for item in (query ?? Bytes()).split(separator: UInt8(ascii: "&")) where !item.isEmpty {
      let name = item.prefix(upTo: UInt8(ascii: "="))
      let value = name.count < item.count ? item[(name.count + 1)...] : Bytes()
      items.append(
        QueryItem(
          name: try PercentCoding.decodeText(name, plusIsSpace: true),
          value: try PercentCoding.decodeText(value, plusIsSpace: true)))
    }
    return items
  }

  /// The value of the first item of the query called `name`; throws as `queryItems` does.
  public func query(_ name: Bytes) throws(HTTPProtocolError) -> Bytes? {
    try queryItems().first { $0.name == name }?.value
  }

  /// Takes `http://host:port` from the front.
  private static func takeAuthority(_ rest: inout Bytes) throws(HTTPProtocolError) -> HTTPHost {
    let scheme = rest.prefix(upTo: .colon)
    guard scheme.isEqual(ignoringCaseTo: "http") || scheme.isEqual(ignoringCaseTo: "https"),
      rest[scheme.count...].hasPrefix(schemeEnd)
    else { throw HTTPProtocolError(.malformedTarget, "The request target is neither a path nor an http URL") }
    let afterScheme = rest[(scheme.count + schemeEnd.count)...]
    let authority = afterScheme.prefix(upTo: UInt8(ascii: "/")).prefix(upTo: UInt8(ascii: "?"))
    guard let host = HTTPHost(authority) else {
      throw HTTPProtocolError(.malformedTarget, "The request target has no host")
    }
    rest = afterScheme[authority.count...]
    return host
  }

  private static let schemeEnd: Bytes = "://"
}
