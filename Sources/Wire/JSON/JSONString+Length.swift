public import Bytes

// How long a text is and where it can be cut, while it is still escaped.
extension JSONString {
  /// How many bytes of UTF-8 the text has that `contents` say. Half of a surrogate pair counts as U+FFFD.
  public static func utf8Count(contents: Bytes) -> Int {
    prefix(contents: contents, utf8Limit: .max).utf8Count
  }

  /// Where the first newline of the text is escaped in `contents`; nil where there is none.
  public static func firstNewline(contents: Bytes) -> Range<Int>? {
    contents.withSpan { span in
      var index = ByteSearch<QuoteOrBackslash>.first(in: span, from: 0)
      while index < span.count {
        let character = JSONEscape(in: span, at: index)
        let end = min(index + character.length, span.count)
        if character.scalar == "\n" { return index..<end }
        index = ByteSearch<QuoteOrBackslash>.first(in: span, from: end)
      }
      return nil
    }
  }

  /// The longest beginning of `contents` whose text has at most `limit` bytes of UTF-8. It cuts no character.
  ///
  /// - Returns: where it ends in `contents`, and how many bytes of UTF-8 its text has.
  public static func prefix(contents: Bytes, utf8Limit limit: Int) -> (end: Int, utf8Count: Int) {
    contents.withSpan { span in
      var index = 0, count = 0
      while index < span.count {
        let escape = ByteSearch<QuoteOrBackslash>.first(in: span, from: index)
        if escape - index > limit - count {
          var end = index + limit - count
          while end > index, span[end] & 0xC0 == 0x80 { end -= 1 }
          return (end, count + end - index)
        }
        count += escape - index
        index = escape
        guard index < span.count else { break }
        let character = JSONEscape(in: span, at: index)
        let width = UTF8.width(character.scalar)
        guard width <= limit - count else { break }
        count += width
        index = min(index + character.length, span.count)
      }
      return (index, count)
    }
  }
}
