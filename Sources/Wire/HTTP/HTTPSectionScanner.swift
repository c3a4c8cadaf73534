/// Finds the empty line that ends a head or a trailer section. It continues where it stopped, so that a section that
/// comes byte by byte is scanned only once.
struct HTTPSectionScanner {
  /// The offset after the first line's line break; nil until that is found.
  private(set) var firstLineEnd: Int?
  private var scanned = 0
  private var lineStart = 0

  var isAtStart: Bool { scanned == 0 }

  /// The offset after the empty line; nil until that is found. A lone LF, which RFC 9112, 2.2 allows, is refused:
  /// recipients that differ in it can be used for request smuggling.
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
  /// The index of the first LF at or after `start`, eight bytes at a time.
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
