/// Finds the ends of values in bytes that `JSONValidator` has accepted, without further checks.
enum ValidatedJSON {
  /// The end of the value at `start`.
  static func endOfValue(in span: Span<UInt8>, from start: Int, _ findings: JSONFindings) -> Int {
    switch span[start] {
    case UInt8(ascii: "\""): endOfString(in: span, from: start, findings)
    case UInt8(ascii: "{"), UInt8(ascii: "["): endOfContainer(in: span, from: start, findings)
    default: endOfScalar(in: span, from: start)
    }
  }

  /// The end of the string whose opening quote is at `start`, after its closing quote.
  static func endOfString(in span: Span<UInt8>, from start: Int, _ findings: JSONFindings) -> Int {
    if let end = findings.endOfString(at: start) { return end }
    var index = start + 1
    while true {
      index = ByteSearch<QuoteOrBackslash>.first(in: span, from: index)
      guard index < span.count else { return span.count }
      if span[index] == UInt8(ascii: "\"") { return index + 1 }
      index += 2
    }
  }

  /// The index of the first byte from `start` on that is not white space.
  @inline(__always)
  static func skipWhiteSpace(in span: Span<UInt8>, from start: Int) -> Int {
    var index = start
    while index < span.count, span[index].isJSONWhiteSpace { index += 1 }
    return index
  }

  private static func endOfContainer(
    in span: Span<UInt8>, from start: Int, _ findings: JSONFindings
  ) -> Int {
    var index = start
    var depth = 0
    while index < span.count {
      switch span[index] {
      case UInt8(ascii: "\""):
        index = endOfString(in: span, from: index, findings)
        continue
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        depth -= 1
        if depth == 0 { return index + 1 }
      default: break
      }
      index += 1
    }
    return index
  }

  private static func endOfScalar(in span: Span<UInt8>, from start: Int) -> Int {
    var index = start
    while index < span.count {
      let byte = span[index]
      if byte.isJSONWhiteSpace || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]")
        || byte == UInt8(ascii: "}")
      {
        return index
      }
      index += 1
    }
    return index
  }
}
