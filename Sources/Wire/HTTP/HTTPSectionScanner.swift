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
  mutating func endOfSection(in span: borrowing Span<UInt8>) throws(HTTPError) -> Int? {
    let count = span.count
    while scanned < count {
      guard span[scanned] == .lineFeed else {
        scanned += 1
        continue
      }
      guard scanned > lineStart, span[scanned - 1] == .carriageReturn else {
        throw HTTPError(.malformedLineEnding, "A line ends in LF without CR")
      }
      let isEmptyLine = scanned - lineStart == 1
      scanned += 1
      if firstLineEnd == nil { firstLineEnd = scanned }
      if isEmptyLine { return scanned }
      lineStart = scanned
    }
    return nil
  }
}
