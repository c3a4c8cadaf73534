public import Bytes

// Operations on the contents of strings that need no decoding.
extension JSONString {
  /// The contents of the JSON string for `text`.
  public static func contents(of text: String) -> Bytes {
    let quoted = quote(text)
    return quoted[1..<quoted.count - 1]
  }

  /// `contents` without one pair of enclosing quotes, single or double, as in the repr of a Python string.
  public static func dropEnclosingQuotes(contents: Bytes) -> Bytes {
    contents.withSpan { span in
      let count = span.count
      if count >= 2, span[0] == UInt8(ascii: "'"), span[count - 1] == UInt8(ascii: "'") {
        return contents[1..<count - 1]
      }
      // A double quote in contents always follows a backslash, so its last byte is enough to find it.
      if count >= 4, span[0] == UInt8(ascii: "\\"), span[1] == UInt8(ascii: "\""),
        span[count - 1] == UInt8(ascii: "\"")
      {
        return contents[2..<count - 2]
      }
      return contents
    }
  }

  /// True if an escaped surrogate lacks its other half. JSON's grammar allows that, but no text contains it, and
  /// decoders may fail later: Python's strings can hold it and cannot be encoded.
  public static func hasLoneSurrogate(contents: Bytes) -> Bool {
    contents.withSpan { span in
      var index = ByteSearch<QuoteOrBackslash>.first(in: span, from: 0)
      while index + 1 < span.count {
        let unit = surrogate(in: span, at: index)
        if unit == .low { return true }
        if unit == .high, surrogate(in: span, at: index + 6) != .low { return true }
        let length = unit == .high ? 12 : 2
        index = ByteSearch<QuoteOrBackslash>.first(in: span, from: min(index + length, span.count))
      }
      return false
    }
  }

  private enum Surrogate { case high, low }

  /// The surrogate that is escaped at `index`.
  private static func surrogate(in span: Span<UInt8>, at index: Int) -> Surrogate? {
    guard index + 5 < span.count, span[index] == UInt8(ascii: "\\"), span[index + 1] == UInt8(ascii: "u"),
      span[index + 2] | 0x20 == UInt8(ascii: "d")
    else { return nil }
    return switch span[index + 3] | 0x20 {
    case UInt8(ascii: "8"), UInt8(ascii: "9"), UInt8(ascii: "a"), UInt8(ascii: "b"): .high
    case UInt8(ascii: "c")...UInt8(ascii: "f"): .low
    default: nil
    }
  }

  /// `contents` as one line of ASCII; see `ASCIILine`.
  public static func asciiLine(contents: Bytes) -> Bytes { ASCIILine.of(contents) }

  /// `contents` without the control sequences of terminals (ECMA-48: colours, cursor, titles, links). The text around
  /// them is kept, even if a sequence is truncated. Without any, `contents` are returned unchanged.
  public static func withoutTerminalControls(contents: Bytes) -> Bytes {
    contents.withSpan { span in
      var escape = TerminalControl.first(in: span, from: 0)
      guard escape < span.count else { return contents }
      var text = ByteBuffer()
      text.reserve(span.count)
      var start = 0
      while escape < span.count {
        text.append(contents[start..<escape])
        start = TerminalControl.end(in: span, of: escape)
        escape = TerminalControl.first(in: span, from: start)
      }
      text.append(contents[start...])
      return text.takeAll()
    }
  }

  /// The contents of the string that joins `lines` with newlines.
  public static func join(lines: [Bytes]) -> Bytes {
    guard let first = lines.first else { return Bytes() }
    if lines.count == 1 { return first }
    var text = ByteBuffer()
    text.reserve(lines.reduce(2 * lines.count) { $0 + $1.count })
    text.append(first)
    for line in lines.dropFirst() {
      text.append("\\n" as Bytes)
      text.append(line)
    }
    return text.takeAll()
  }
}
