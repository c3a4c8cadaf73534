import Bytes

/// What tells the end of a body (RFC 9112, 6.3).
public enum BodyFraming: Sendable, Equatable {
  /// No body.
  case none
  /// The number of bytes, at least one.
  case length(Int64)
  /// Chunks, each after its length.
  case chunked
  /// The end of the connection; only in responses.
  case untilClose
}

/// Decides how a body is framed (RFC 9112, 6.3). Ambiguous messages are refused: a proxy before us may have read them
/// in the other way, which is request smuggling.
enum HTTPFraming {
  static func ofRequest(version: HTTPVersion, fields: HTTPFields) throws(HTTPProtocolError) -> BodyFraming {
    let length = try contentLength(fields)
    guard let codings = try transferCodings(version, fields, hasLength: length != nil) else {
      return framing(length)
    }
    guard codings.isEqual(ignoringCaseTo: "chunked") else { throw codingError(codings) }
    return .chunked
  }

  static func ofResponse(
    version: HTTPVersion, status: Int, fields: HTTPFields, requestMethod: String
  ) throws(HTTPProtocolError) -> BodyFraming {
    if requestMethod == "HEAD" || status < 200 || status == 204 || status == 304 { return .none }
    let length = try contentLength(fields)
    guard let codings = try transferCodings(version, fields, hasLength: length != nil) else {
      return length == nil ? .untilClose : framing(length)
    }
    guard codings.isEqual(ignoringCaseTo: "chunked") else { throw codingError(codings) }
    return .chunked
  }

  private static func framing(_ length: Int64?) -> BodyFraming {
    guard let length, length > 0 else { return .none }
    return .length(length)
  }

  private static func transferCodings(
    _ version: HTTPVersion, _ fields: HTTPFields, hasLength: Bool
  ) throws(HTTPProtocolError) -> Bytes? {
    let (value, count) = fields.occurrences("Transfer-Encoding")
    guard let codings = value else { return nil }
    guard version == .http11 else {
      throw HTTPProtocolError(.ambiguousLength, "Transfer-Encoding in HTTP/1.0")
    }
    guard !hasLength else {
      throw HTTPProtocolError(.ambiguousLength, "Both Transfer-Encoding and Content-Length")
    }
    guard count == 1 else {
      throw HTTPProtocolError(.ambiguousLength, "More than one Transfer-Encoding")
    }
    return codings
  }

  /// Codings that end in chunked are well-formed but unsupported (501). All others leave the length open (400).
  private static func codingError(_ codings: Bytes) -> HTTPProtocolError {
    let names = codings.split(separator: UInt8(ascii: ",")).map { $0.trimmingBlanks() }
    let chunked = names.filter { $0.isEqual(ignoringCaseTo: "chunked") }
    guard names.count > 1, chunked.count == 1, let last = names.last, last.isEqual(ignoringCaseTo: "chunked"),
      names.allSatisfy({ !$0.isEmpty })
    else { return HTTPProtocolError(.ambiguousLength, "Transfer-Encoding must be chunked, once and last") }
    return HTTPProtocolError(
      .unknownTransferCoding, "Unsupported Transfer-Encoding. Only chunked is supported")
  }

  /// `Content-Length`, once and in digits. RFC 9110, 8.6 allows equal ones to repeat; no client needs that.
  private static func contentLength(_ fields: HTTPFields) throws(HTTPProtocolError) -> Int64? {
    let (value, count) = fields.occurrences("Content-Length")
    guard let text = value else { return nil }
    guard count == 1 else {
      throw HTTPProtocolError(.ambiguousLength, "More than one Content-Length")
    }
    guard !text.isEmpty, text.allSatisfy(\.isDigit) else {
      throw HTTPProtocolError(.ambiguousLength, "Content-Length is not a number")
    }
    guard let length = Int64(String(text)) else {
      throw HTTPProtocolError(.ambiguousLength, "Content-Length is too large")
    }
    return length
  }
}
