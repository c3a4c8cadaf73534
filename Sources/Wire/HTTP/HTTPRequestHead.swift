public import Bytes

/// A request's start line and fields.
public struct HTTPRequestHead: Sendable, Equatable {
  /// The method. Methods are case-sensitive (RFC 9110, 9.1).
  public var method: String
  /// The request target as it was sent; `RequestTarget` parses it.
  public var target: Bytes
  /// The client's version.
  var version: HTTPVersion
  /// The header fields.
  public var fields: HTTPFields

  /// A request head.
  public init(
    method: String, target: Bytes, version: HTTPVersion = .http11, fields: HTTPFields = HTTPFields()
  ) {
    self.method = method
    self.target = target
    self.version = version
    self.fields = fields
  }

  /// The same with the UTF-8 of `target`.
  public init(
    method: String, target: String, version: HTTPVersion = .http11, fields: HTTPFields = HTTPFields()
  ) {
    self.init(method: method, target: Bytes(target), version: version, fields: fields)
  }

  /// True if the client keeps the connection open after this request (RFC 9112, 9.3).
  var keepsConnection: Bool { fields.keepConnection(version) }

  /// Writes the head with its empty line.
  ///
  /// Throws `unwritable` if the result would not be one head: line breaks, white space in the target.
  func encode(into buffer: inout ByteBuffer) throws(HTTPProtocolError) {
    guard !method.isEmpty, method.utf8.allSatisfy(\.isToken) else {
      throw HTTPProtocolError(.unwritable, "A method that is not a token")
    }
    guard !target.isEmpty, target.allSatisfy(\.isTarget) else {
      throw HTTPProtocolError(
        .unwritable, "A request target that is empty or has white space or control characters")
    }
    buffer.append(method)
    buffer.append(.space)
    buffer.append(target)
    buffer.append(" \(version.name)\r\n")
    try fields.encode(into: &buffer)
  }

  /// The head with its empty line; throws as `encode(into:)` does.
  public func encode() throws(HTTPProtocolError) -> Bytes {
    var buffer = ByteBuffer()
    try encode(into: &buffer)
    return buffer.takeAll()
  }
}
