public import Bytes

/// A response's status line and fields.
public struct HTTPResponseHead: Sendable, Equatable {
  /// The status, of three digits.
  public var status: Int
  /// The reason phrase, for people; may be empty.
  var reason: String
  /// The server's version.
  var version: HTTPVersion
  /// The header fields.
  var fields: HTTPFields

  /// A response head. The default `reason` is the registered one of `status`.
  init(
    status: Int, reason: String? = nil, version: HTTPVersion = .http11, fields: HTTPFields = HTTPFields()
  ) {
    self.status = status
    self.reason = reason ?? HTTPStatus.reason(of: status)
    self.version = version
    self.fields = fields
  }

  /// True if the server keeps the connection open after this response (RFC 9112, 9.3).
  var keepsConnection: Bool { fields.keepConnection(version) }

  /// Writes the head with its empty line.
  ///
  /// Throws `unwritable` if the result would not be one head.
  func encode(into buffer: inout ByteBuffer) throws(HTTPProtocolError) {
    try Self.encodeStatusLine(status, reason: reason, version: version, into: &buffer)
    try fields.encode(into: &buffer)
  }

  /// Writes only a status line, for heads that are put together from encoded parts.
  ///
  /// Throws `unwritable` if the result would not be one line of that form.
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
  func encode() throws(HTTPProtocolError) -> Bytes {
    var buffer = ByteBuffer()
    try encode(into: &buffer)
    return buffer.takeAll()
  }
}

extension HTTPFields {
  /// What `Connection` says about the connection's life (RFC 9112, 9.3).
  func keepConnection(_ version: HTTPVersion) -> Bool {
    if list("Connection", contains: "close") { return false }
    return version == .http11 || list("Connection", contains: "keep-alive")
  }

  /// Writes the fields and the empty line after them; throws as `encodeLines` does.
  func encode(into buffer: inout ByteBuffer) throws(HTTPProtocolError) {
    try encodeLines(into: &buffer)
    buffer.append("\r\n")
  }

  /// Writes the fields, a line each, without the empty line.
  ///
  /// Throws `unwritable` for control characters, CR and LF among them, which could begin another field, and for names
  /// that are no tokens.
  public func encodeLines(into buffer: inout ByteBuffer) throws(HTTPProtocolError) {
    // With room for the empty line.
    buffer.reserve(lines.reduce(2) { $0 + $1.name.utf8.count + $1.value.count + 4 })
    for field in lines {
      guard field.isWritable else {
        throw HTTPProtocolError(
          .unwritable, "A field with a malformed name or value: \(field.name.debugDescription)")
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
