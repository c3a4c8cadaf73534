/// Facts that the validation of a JSON text has found, so that a long text is not read again for them.
struct JSONFindings: Sendable, Equatable {
  /// Shorter strings are not recorded: reading them again costs less.
  static let longString = 64 * 1024

  /// True if the text is one line of ASCII: no non-ASCII characters, and no line breaks between tokens.
  var isASCIILine = true
  /// The range of the longest long string, including its quotes.
  var longest: Range<Int>?

  /// Records a string.
  @inline(__always)
  mutating func note(string: Range<Int>) {
    guard string.count >= Self.longString, string.count > longest?.count ?? 0 else { return }
    longest = string
  }

  /// The end of the string at `start`, if it is the recorded one.
  @inline(__always)
  func endOfString(at start: Int) -> Int? {
    guard let longest, longest.lowerBound == start else { return nil }
    return longest.upperBound
  }

  /// The findings for `range`, with indices relative to its start.
  func within(_ range: Range<Int>) -> JSONFindings {
    var part = self
    part.longest = nil
    if let longest, longest.lowerBound >= range.lowerBound, longest.upperBound <= range.upperBound {
      part.longest = longest.lowerBound - range.lowerBound..<longest.upperBound - range.lowerBound
    }
    return part
  }
}
