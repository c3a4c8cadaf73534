public import Memory

/// Chunked coding (RFC 9112, 7.1) for gather writes: `[prefix(forLength: n)] + pieces + [suffix]`, so that what a chunk
/// holds is never copied.
public enum ChunkedEncoder {
  /// What goes after a chunk's data.
  public static let suffix: Bytes = "\r\n"

  /// The end of a body without trailers.
  public static let terminator: Bytes = "0\r\n\r\n"

  /// What goes before a chunk of `length` bytes, which must not be zero: that would end the body.
  public static func prefix(forLength length: Int) -> Bytes {
    precondition(length > 0)
    return Bytes("\(String(length, radix: 16))\r\n")
  }

  /// The end of a body with `trailers`; throws `unwritable` where these would not be fields.
  public static func terminator(_ trailers: HTTPFields) throws(HTTPError) -> Bytes {
    var buffer = ByteBuffer("0\r\n".utf8)
    try trailers.encode(into: &buffer)
    return buffer.takeAll()
  }
}
