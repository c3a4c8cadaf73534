import Bytes

/// Chunked coding (RFC 9112, 7.1) for gathering writes: long pieces are not copied.
enum ChunkedEncoder {
  /// The end of a body without trailers.
  static let lastChunk: Bytes = "0\r\n\r\n"

  /// The line before `count` bytes.
  static func line(_ count: Int) -> Bytes { Bytes(String(count, radix: 16) + "\r\n") }

  /// One chunk of all `pieces`. They must not be empty together: that would end the body.
  /// - Parameter isLast: appends the last chunk.
  static func chunk(_ pieces: [Bytes], isLast: Bool = false) -> [Bytes] {
    let length = pieces.byteCount
    precondition(length > 0)
    var chunk = GatherBuffer()
    chunk.append(line(length))
    for piece in pieces { chunk.append(piece) }
    chunk.append("\r\n")
    if isLast { chunk.append(lastChunk) }
    return chunk.takeAll()
  }
}

/// A chunk's size with its extensions: `1A;name=value` and CRLF.
struct ChunkLine {
  /// The length of the chunk's data; 0 for the last chunk.
  let size: Int64
  /// The length of the line with its line break.
  let length: Int
  /// The length between size and line break.
  let extensionLength: Int

  /// The line at the front of `span`; nil if it is not complete.
  static func parse(_ span: borrowing Span<UInt8>, limit: Int) throws(HTTPProtocolError) -> ChunkLine? {
    var digits = 0
    let size = try parseSize(span, &digits)
    guard digits < span.count else { return try nilUnlessTooLong(span, limit) }
    guard digits > 0, span[digits] == .carriageReturn || span[digits] == UInt8(ascii: ";") else {
      throw HTTPProtocolError(.malformedChunk, "A chunk's size is not a hexadecimal number")
    }
    var end = digits
    while end < span.count, span[end].isFieldContent { end += 1 }
    guard end < span.count else { return try nilUnlessTooLong(span, limit) }
    guard span[end] == .carriageReturn, end + 1 == span.count || span[end + 1] == .lineFeed else {
      throw HTTPProtocolError(.malformedChunk, "A chunk extension has a control character")
    }
    guard end + 1 < span.count else { return try nilUnlessTooLong(span, limit) }
    guard end + 2 <= limit else { throw tooLong }
    return ChunkLine(size: size, length: end + 2, extensionLength: end - digits)
  }

  private static func parseSize(
    _ span: borrowing Span<UInt8>, _ digits: inout Int
  ) throws(HTTPProtocolError) -> Int64 {
    var size: Int64 = 0
    while digits < span.count, let digit = span[digits].hexadecimalValue {
      let (shifted, overflow) = size.multipliedReportingOverflow(by: 16)
      // The low four bits are free, so the addition cannot overflow.
      guard !overflow, digits < 16 else {
        throw HTTPProtocolError(.malformedChunk, "A chunk's size has more than 63 bits")
      }
      size = shifted + Int64(digit)
      digits += 1
    }
    return size
  }

  private static func nilUnlessTooLong(_ span: borrowing Span<UInt8>, _ limit: Int) throws(HTTPProtocolError)
    -> ChunkLine?
  {
    guard span.count < limit else { throw tooLong }
    return nil
  }

  private static var tooLong: HTTPProtocolError {
    HTTPProtocolError(.malformedChunk, "A chunk's first line is longer than the limit")
  }
}
