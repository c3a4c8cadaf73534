import Bytes

/// Takes complete frames from a buffer: first `header`, then `body` with the length that the caller computes from it.
struct FrameReader<Header: FrameHeader & Sendable>: Sendable {
  /// The length of the buffer once the incomplete frame at its front is complete; nil if that is not known.
  private(set) var wantedTotal: Int?

  /// The next frame's header, which stays in the buffer; nil if it is incomplete.
  mutating func header(in buffer: borrowing ByteBuffer) throws(Header.Failure) -> Header? {
    wantedTotal = nil
    return try buffer.withSpan { (span) throws(Header.Failure) in try Header.parse(span) }
  }

  /// Takes the frame and returns its body; nil if it is incomplete.
  ///
  /// - Parameter length: the length of the body, small enough that the header's can be added.
  mutating func body(_ length: Int, behind header: Header, from buffer: inout ByteBuffer) -> Bytes? {
    let total = header.length + length
    guard buffer.count >= total else {
      wantedTotal = total
      return nil
    }
    buffer.discard(header.length)
    return buffer.take(length)
  }
}
