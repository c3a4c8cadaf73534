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
