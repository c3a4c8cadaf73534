public import Bytes

/// Chunked coding (RFC 9112, 7.1) for gathering writes: what is long in a chunk is not copied.
public enum ChunkedEncoder {
  /// The end of a body without trailers.
  public static let terminator: Bytes = "0\r\n\r\n"

  /// A chunk that holds all of `pieces` in turn, which must not be empty together: that would end the body.
  ///
  /// - Parameter isLast: the end of the body, without trailers, goes with it.
  public static func chunk(_ pieces: [Bytes], isLast: Bool = false) -> [Bytes] {
    let length = pieces.reduce(0) { $0 + $1.count }
    precondition(length > 0)
    var chunk = GatherBuffer()
    chunk.append(String(length, radix: 16))
    chunk.append("\r\n")
    for piece in pieces { chunk.append(piece) }
    chunk.append("\r\n")
    if isLast { chunk.append(terminator) }
    return chunk.takeAll()
  }

  /// The end of a body with `trailers`; throws `unwritable` where these would not be fields.
  public static func terminator(_ trailers: HTTPFields) throws(HTTPProtocolError) -> Bytes {
    var buffer = ByteBuffer("0\r\n".utf8)
    try trailers.encode(into: &buffer)
    return buffer.takeAll()
  }
}
