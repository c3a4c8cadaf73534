public import Bytes

/// How the end of a body is found (RFC 9112, 6.3).
public enum BodyFraming: Sendable, Equatable {
  /// There is no body.
  case none
  /// So many bytes, at least one.
  case length(Int64)
  /// Chunks, each with its length before it.
  case chunked
  /// All that comes until the connection ends; in responses alone.
  case untilClose
}

/// What a parser has understood next.
public enum HTTPEvent<Head: Sendable>: Sendable {
  /// The start line and fields, and how the body that follows is framed.
  case head(Head, body: BodyFraming)
  /// The next bytes of the body, which share the memory that they were read into; never empty.
  case body(Bytes)
  /// The end of the message. The trailers are empty but for chunked bodies that carry some.
  case end(trailers: HTTPFields)
}

extension HTTPEvent: Equatable where Head: Equatable {}
