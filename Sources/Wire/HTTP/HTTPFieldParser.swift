import Bytes

/// Parses field lines (RFC 9112, 5), without the leniency that the RFC allows recipients.
enum HTTPFieldParser {
  /// The fields of `range`: whole lines, without the empty one.
  ///
  /// They are copied once: a long request then does not keep the memory of all that was read together with it.
  static func parse(
    _ span: borrowing Span<UInt8>, in range: Range<Int>, maximumCount: Int
  ) throws(HTTPProtocolError) -> HTTPFields {
    var fields = HTTPFields()
    guard !range.isEmpty else { return fields }
    fields.reserveCapacity(8)
    let lines = Bytes(copying: span.extracting(range))
    var position = range.lowerBound
    while position < range.upperBound {
      guard fields.lines.count < maximumCount else {
        throw HTTPProtocolError(.fieldsTooLong, "More than \(maximumCount) header fields")
      }
      let name = try parseName(span, at: &position)
      let value = try parseValue(span, at: &position)
      fields.append(
        name, lines[value.lowerBound - range.lowerBound..<value.upperBound - range.lowerBound])
    }
    return fields
  }

  /// Takes a name and the colon. White space around the name is refused: before it, it means a folded line; after it,
  /// some peers would see another name (RFC 9112, 5.1 and 5.2).
  private static func parseName(
    _ span: borrowing Span<UInt8>, at position: inout Int
  ) throws(HTTPProtocolError) -> String {
    let start = position
    var end = start
    while span[end].isToken { end += 1 }
    guard end > start, span[end] == .colon else { throw nameError(span, from: start, at: end) }
    position = end + 1
    return span.string(start..<end)
  }

  private static func nameError(_ span: borrowing Span<UInt8>, from start: Int, at end: Int)
    -> HTTPProtocolError
  {
    if end == start, span[end].isBlank {
      return HTTPProtocolError(.malformedField, "A header field is folded")
    }
    if end == start, span[end] == .colon {
      return HTTPProtocolError(.malformedField, "A header field has no name")
    }
    if span[end].isBlank {
      return HTTPProtocolError(.malformedField, "White space follows a header field's name")
    }
    if span[end] == .carriageReturn {
      return HTTPProtocolError(.malformedField, "A header line has no colon")
    }
    return HTTPProtocolError(.malformedField, "A header field's name has a byte that is not allowed")
  }

  /// Takes a value and the line break. The section ends in CRLF, so the loops stop before its end.
  private static func parseValue(
    _ span: borrowing Span<UInt8>, at position: inout Int
  ) throws(HTTPProtocolError) -> Range<Int> {
    var start = position
    while span[start].isBlank { start += 1 }
    var end = start
    while span[end].isFieldContent { end += 1 }
    guard span[end] == .carriageReturn, span[end + 1] == .lineFeed else {
      throw HTTPProtocolError(.malformedField, "A header field's value has a control character")
    }
    position = end + 2
    while end > start, span[end - 1].isBlank { end -= 1 }
    return start..<end
  }
}

extension Span<UInt8> {
  /// The bytes as text. Invalid UTF-8 becomes U+FFFD.
  @inline(__always)
  func string(_ range: Range<Int>) -> String {
    extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
  }
}
