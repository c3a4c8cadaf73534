import Bytes

/// Takes frame after frame from a buffer, each when it is whole: first `header`, then `body` with the length that the
/// caller makes of it.
struct FrameReader<Header: FrameHeader & Sendable>: Sendable {
  /// How many bytes the buffer will hold when the frame is whole whose beginning is in it; nil where that is not known.
  private(set) var wantedTotal: Int?

  /// The next frame's header, which stays in the buffer; nil where it has not arrived.
  mutating func header(in buffer: borrowing ByteBuffer) throws(Header.Failure) -> Header? {
    wantedTotal = nil
    return try buffer.withSpan { (span) throws(Header.Failure) in try Header.parse(span) }
  }

  /// Takes the frame and gives its body; nil where that has not arrived.
  ///
  /// - Parameter length: that of the body, so small that the header's can be added.
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
