import Bytes

/// Parses start lines of both directions (RFC 9112, 3 and 4), each a whole line with its line break.
enum HTTPStartLine {
  struct Request {
    let method: String
    let target: Bytes
    let version: HTTPVersion
  }

  struct Status {
    let version: HTTPVersion
    let status: Int
    let reason: String
  }

  /// `method SP target SP version CRLF`, with one space each. RFC 9112, 3 allows other white space; then two peers could
  /// see two targets.
  static func parseRequest(
    _ span: borrowing Span<UInt8>, limits: HTTPLimits
  ) throws(HTTPProtocolError) -> Request {
    var end = 0
    while span[end].isToken { end += 1 }
    guard end > 0, span[end] == .space else {
      throw HTTPProtocolError(
        .malformedStartLine, "The request line does not begin with a method and a space")
    }
    guard end <= limits.methodLength else { throw methodTooLong }
    let target = end + 1
    var targetEnd = target
    var allBits: UInt8 = 0
    while span[targetEnd].isTarget {
      allBits |= span[targetEnd]
      targetEnd += 1
    }
    guard targetEnd - target <= limits.targetLength else { throw targetTooLong(limits) }
    guard targetEnd > target, span[targetEnd] == .space else {
      throw HTTPProtocolError(
        .malformedStartLine, "The request target is empty or has a byte that is not allowed")
    }
    let version = try parseVersion(span, from: targetEnd + 1, to: span.count - 2)
    guard allBits < 128 || UTF8Check.isValid(span.extracting(target..<targetEnd)) else {
      throw HTTPProtocolError(.malformedTarget, "The request target is not UTF-8")
    }
    return Request(
      method: span.string(0..<end), target: Bytes(copying: span.extracting(target..<targetEnd)),
      version: version)
  }

  /// `version SP status SP reason CRLF`. The space before an empty reason is often missing.
  static func parseStatus(_ span: borrowing Span<UInt8>) throws(HTTPProtocolError) -> Status {
    let end = span.count - 2
    let version = try parseVersion(span, from: 0, to: min(end, 8))
    guard end >= 12, span[8] == .space, span[9].isDigit, span[10].isDigit, span[11].isDigit, span[9] != 0x30,
      end == 12 || span[12] == .space
    else { throw HTTPProtocolError(.malformedStartLine, "The status line has no status of three digits") }
    var position = min(13, end)
    let reason = position
    while position < end, span[position].isFieldContent { position += 1 }
    guard position == end else {
      throw HTTPProtocolError(.malformedStartLine, "The reason phrase holds a control character")
    }
    let status = Int(span[9] & 15) * 100 + Int(span[10] & 15) * 10 + Int(span[11] & 15)
    return Status(version: version, status: status, reason: span.string(reason..<end))
  }

  static var methodTooLong: HTTPProtocolError {
    HTTPProtocolError(.malformedStartLine, "The method is longer than the limit")
  }

  static func targetTooLong(_ limits: HTTPLimits) -> HTTPProtocolError {
    HTTPProtocolError(.targetTooLong, "The request target is longer than \(limits.targetLength) bytes")
  }

  private static func parseVersion(
    _ span: borrowing Span<UInt8>, from start: Int, to end: Int
  ) throws(HTTPProtocolError) -> HTTPVersion {
    guard end - start == 8, span[start] == UInt8(ascii: "H"), span[start + 1] == UInt8(ascii: "T"),
      span[start + 2] == UInt8(ascii: "T"), span[start + 3] == UInt8(ascii: "P"),
      span[start + 4] == UInt8(ascii: "/"), span[start + 5].isDigit, span[start + 6] == UInt8(ascii: "."),
      span[start + 7].isDigit
    else { throw HTTPProtocolError(.malformedStartLine, "The start line has no HTTP version") }
    guard span[start + 5] == UInt8(ascii: "1") else {
      throw HTTPProtocolError(
        .unknownVersion, "Unsupported HTTP version. Only HTTP/1.1 and HTTP/1.0 are supported")
    }
    return span[start + 7] == UInt8(ascii: "0") ? .http10 : .http11
  }
}

/// The supported versions of HTTP. A later minor version is treated as 1.1 (RFC 9110, 2.5).
public enum HTTPVersion: Sendable, Equatable {
  /// HTTP/1.0: no chunked coding, and one request a connection without `Connection: keep-alive`.
  case http10
  /// HTTP/1.1.
  case http11

  /// As a start line has it.
  var name: StaticString {
    switch self {
    case .http10: "HTTP/1.0"
    case .http11: "HTTP/1.1"
    }
  }
}
