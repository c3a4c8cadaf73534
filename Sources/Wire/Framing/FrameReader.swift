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

/// What a frame begins with, by which its length is known.
protocol FrameHeader {
  associatedtype Failure: Error

  /// How many bytes the header itself takes.
  var length: Int { get }

  /// Nil where not all of it has arrived; what is there is checked nevertheless, so that nobody waits for the rest of
  /// something senseless.
  static func parse(_ span: Span<UInt8>) throws(Failure) -> Self?
}

extension Span<UInt8> {
  /// The number that the bytes in `range`, eight at most, are in the order of the network.
  func bigEndian(_ range: Range<Int>) -> UInt64 {
    var number: UInt64 = 0
    for index in range { number = number << 8 | UInt64(self[index]) }
    return number
  }
}
