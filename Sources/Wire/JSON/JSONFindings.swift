/// What the validation of a JSON text has learned by the way, so that nobody has to read a long text again for it.
struct JSONFindings: Sendable, Equatable {
  /// A string below this length is read again sooner than it is remembered.
  static let longString = 64 * 1024

  /// True where it is one line of ASCII: nothing beyond that in its strings, no line break between its tokens.
  var isASCIILine = true
  /// The longest of the long strings, quotes included.
  var longest: Range<Int>?

  /// Takes note of a string that was read.
  @inline(__always)
  mutating func note(string: Range<Int>) {
    guard string.count >= Self.longString, string.count > longest?.count ?? 0 else { return }
    longest = string
  }

  /// Where the string that begins at `start` ends, if it is the one that is known.
  @inline(__always)
  func endOfString(at start: Int) -> Int? {
    guard let longest, longest.lowerBound == start else { return nil }
    return longest.upperBound
  }

  /// The same of what lies at `range`, where indices begin anew.
  func within(_ range: Range<Int>) -> JSONFindings {
    var part = self
    part.longest = nil
    if let longest, longest.lowerBound >= range.lowerBound, longest.upperBound <= range.upperBound {
      part.longest = longest.lowerBound - range.lowerBound..<longest.upperBound - range.lowerBound
    }
    return part
  }
}
