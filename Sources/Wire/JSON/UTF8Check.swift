/// Well-formed UTF-8 by table 3-7 of the Unicode standard, the same set as RFC 3629, section 4: no overlong forms, no
/// surrogates, nothing above U+10FFFF.
enum UTF8Check {
  /// True if all of `span` is well-formed.
  static func isValid(_ span: Span<UInt8>) -> Bool {
    (try? UTF8Span(validating: span)) != nil
  }

  /// The end of the run of non-ASCII characters at `start`; nil if one is not well-formed.
  static func endOfRun(in span: Span<UInt8>, from start: Int) -> Int? {
    var index = start
    while index < span.count, span[index] >= 0x80 {
      let length = characterLength(in: span, at: index)
      if length == 0 { return nil }
      index += length
    }
    return index
  }

  /// The length of the non-ASCII character at `index`, in bytes; 0 if it is not well-formed.
  @inline(__always)
  private static func characterLength(in span: Span<UInt8>, at index: Int) -> Int {
    let rest = span.count - index
    guard rest >= 2 else { return 0 }
    let first = span[index]
    let second = span[index + 1]
    switch first {
    case 0xC2...0xDF:
      return isContinuation(second) ? 2 : 0
    case 0xE0...0xEF:
      let lowest: UInt8 = first == 0xE0 ? 0xA0 : 0x80
      let highest: UInt8 = first == 0xED ? 0x9F : 0xBF
      guard rest >= 3, second >= lowest, second <= highest else { return 0 }
      return isContinuation(span[index + 2]) ? 3 : 0
    case 0xF0...0xF4:
      let lowest: UInt8 = first == 0xF0 ? 0x90 : 0x80
      let highest: UInt8 = first == 0xF4 ? 0x8F : 0xBF
      guard rest >= 4, second >= lowest, second <= highest else { return 0 }
      return isContinuation(span[index + 2]) && isContinuation(span[index + 3]) ? 4 : 0
    default:
      return 0
    }
  }

  @inline(__always)
  private static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }
}
