/// Finds the empty line that ends a head or a trailer section. It goes on where it stopped, so that a section which
/// arrives byte by byte is looked at once only.
struct HTTPSectionScanner {
  /// Where the first line ends, after its line break; nil while it is not whole.
  private(set) var firstLineEnd: Int?
  private var scanned = 0
  private var lineStart = 0

  /// True while nothing has arrived.
  var isAtStart: Bool { scanned == 0 }

  /// The offset after the empty line; nil when that has not arrived. Each LF must have a CR before it: to take LF
  /// alone, as RFC 9112, 2.2 allows, is what request smuggling is made of.
  mutating func endOfSection(in span: borrowing Span<UInt8>) throws(HTTPProtocolError) -> Int? {
    var position = scanned
    while let lineFeed = span.firstLineFeed(from: position) {
      guard lineFeed > lineStart, span[lineFeed - 1] == .carriageReturn else {
        throw HTTPProtocolError(.malformedLineEnding, "A line ends in LF without CR")
      }
      let isEmptyLine = lineFeed - lineStart == 1
      position = lineFeed + 1
      if firstLineEnd == nil { firstLineEnd = position }
      if isEmptyLine {
        scanned = position
        return position
      }
      lineStart = position
    }
    scanned = span.count
    return nil
  }
}

extension Span<UInt8> {
  /// The index of the first LF at or after `start`. Eight bytes are looked at together.
  func firstLineFeed(from start: Int) -> Int? {
    var position = start
    while position + 8 <= count {
      let word = bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self)
      // A byte that is LF is zero after the exclusive or; the subtraction then borrows into its highest bit.
      let other = UInt64(littleEndian: word) ^ 0x0A0A_0A0A_0A0A_0A0A
      let found = (other &- 0x0101_0101_0101_0101) & ~other & 0x8080_8080_8080_8080
      if found != 0 { return position + found.trailingZeroBitCount / 8 }
      position += 8
    }
    while position < count {
      if self[position] == .lineFeed { return position }
      position += 1
    }
    return nil
  }
}
