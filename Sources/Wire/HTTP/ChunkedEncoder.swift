import Bytes

/// Chunked coding (RFC 9112, 7.1) for gathering writes: long pieces are not copied.
enum ChunkedEncoder {
  /// The end of a body without trailers.
  static let lastChunk: Bytes = "0\r\n\r\n"

  /// One chunk of all `pieces`. They must not be empty together: that would end the body.
  /// - Parameter isLast: appends the last chunk.
  static func chunk(_ pieces: [Bytes], isLast: Bool = false) -> [Bytes] {
    let length = pieces.reduce(0) { $0 + $1.count }
    precondition(length > 0)
    var chunk = GatherBuffer()
    chunk.append(String(length, radix: 16))
    chunk.append("\r\n")
    for piece in pieces { chunk.append(piece) }
    chunk.append("\r\n")
    if isLast { chunk.append(lastChunk) }
    return chunk.takeAll()
  }
}
