public import Bytes

/// A response's status line and fields.
public struct HTTPResponseHead: Sendable, Equatable {
  /// The status, of three digits.
  public var status: Int
  /// The reason phrase, for people alone; may be empty.
  public var reason: String
  /// The version of the peer.
  public var version: HTTPVersion
  /// The header fields.
  public var fields: HTTPFields

  /// A response head; without a `reason` the registered one of `status` is taken.
  public init(
    status: Int, reason: String? = nil, version: HTTPVersion = .http11, fields: HTTPFields = HTTPFields()
  ) {
    self.status = status
    self.reason = reason ?? HTTPStatus.reason(of: status)
    self.version = version
    self.fields = fields
  }

  /// True when the peer lets the connection go on after this message (RFC 9112, 9.3).
  public var keepsConnection: Bool { HTTPConnectionOption.keeps(version, fields) }

  /// Writes the head with its empty line.
  ///
  /// Throws `unwritable` where it would not be one head any more.
  public func encode(into buffer: inout ByteBuffer) throws(HTTPProtocolError) {
    try Self.encodeStatusLine(status, reason: reason, version: version, into: &buffer)
    try fields.encode(into: &buffer)
  }

  /// Writes a status line on its own, for heads that are put together from parts that are ready.
  ///
  /// Throws `unwritable` where it would not be one line of that form.
  public static func encodeStatusLine(
    _ status: Int, reason: String? = nil, version: HTTPVersion = .http11, into buffer: inout ByteBuffer
  ) throws(HTTPProtocolError) {
    let reason = reason ?? HTTPStatus.reason(of: status)
    guard (100...999).contains(status), reason.utf8.allSatisfy(\.isFieldContent) else {
      throw HTTPProtocolError(.unwritable, "A status line with \(status) or a control character")
    }
    buffer.append(version == .http11 ? "HTTP/1.1 " : "HTTP/1.0 ")
    buffer.append(String(status))
    buffer.append(" ")
    buffer.append(reason)
    buffer.append("\r\n")
  }

  /// The head with its empty line; throws as `encode(into:)` does.
  public func encode() throws(HTTPProtocolError) -> Bytes {
    var buffer = ByteBuffer()
    try encode(into: &buffer)
    return buffer.takeAll()
  }
}

/// What `Connection` says about the connection's life.
enum HTTPConnectionOption {
  static func keeps(_ version: HTTPVersion, _ fields: HTTPFields) -> Bool {
    if fields.list("Connection", contains: "close") { return false }
    return version == .http11 || fields.list("Connection", contains: "keep-alive")
  }
}

extension HTTPFields {
  /// Writes the fields and the empty line after them; throws as `encodeLines` does.
  func encode(into buffer: inout ByteBuffer) throws(HTTPProtocolError) {
    try encodeLines(into: &buffer)
    buffer.append("\r\n")
  }

  /// Writes the fields, a line each, and nothing after them.
  ///
  /// Throws `unwritable` where a field would not be one: nothing may break out of its line, so CR and LF are refused
  /// with all other control characters, and names must be tokens.
  public func encodeLines(into buffer: inout ByteBuffer) throws(HTTPProtocolError) {
    // Room for the empty line too.
    buffer.reserve(reduce(2) { $0 + $1.name.utf8.count + $1.value.count + 4 })
    for field in self {
      guard field.isWritable else {
        throw HTTPProtocolError(
          .unwritable, "A field with a name or value that is not one: \(field.name.debugDescription)")
      }
      buffer.append(field.name)
      buffer.append(": ")
      buffer.append(field.value)
      buffer.append("\r\n")
    }
  }
}

extension HTTPFields.Field {
  fileprivate var isWritable: Bool {
    let name = name.utf8.span
    for index in name.indices where !name[index].isToken { return false }
    return !name.isEmpty && value.allSatisfy(\.isFieldContent)
  }
}
