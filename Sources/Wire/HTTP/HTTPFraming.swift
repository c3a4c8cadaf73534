import Bytes

/// Decides how long a body is (RFC 9112, 6.3). What could be read in two ways is refused: a proxy before us may have
/// read it in the other.
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

  /// The value of `Transfer-Encoding`, nil where there is none.
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

  /// Codings that end in chunked have a length that we could find, but a content that we could not read (501);
  /// all others leave the length open (400).
  private static func codingError(_ codings: Bytes) -> HTTPProtocolError {
    let names = codings.split(separator: UInt8(ascii: ",")).map { $0.trimmingBlanks() }
    let chunked = names.filter { $0.isEqual(ignoringCaseTo: "chunked") }
    guard names.count > 1, chunked.count == 1, let last = names.last, last.isEqual(ignoringCaseTo: "chunked"),
      names.allSatisfy({ !$0.isEmpty })
    else { return HTTPProtocolError(.ambiguousLength, "Transfer-Encoding is not chunked, once and last") }
    return HTTPProtocolError(.unknownTransferCoding, "No transfer coding but chunked is known here")
  }

  /// The value of `Content-Length`: once, digits only. RFC 9110, 8.6 would let equal ones repeat; nobody needs it.
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
