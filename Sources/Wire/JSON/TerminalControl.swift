/// Finds control functions (ECMA-48) in the contents of a JSON string, where ESC is written as `\u001b`.
enum TerminalControl {
  /// The index of the first escaped ESC from `start` on, or the count of `span`.
  static func first(in span: Span<UInt8>, from start: Int) -> Int {
    var index = start
    while true {
      index = ByteSearch<QuoteOrBackslash>.first(in: span, from: index)
      guard index < span.count - 1 else { return span.count }
      // All other escapes are two bytes long.
      if span[index + 1] == UInt8(ascii: "u"), JSONEscape(in: span, at: index).scalar == escapeCharacter {
        return index
      }
      index += 2
    }
  }

  /// The end of the control function whose ESC is at `start`. Of a truncated one, only the introducer counts.
  static func end(in span: Span<UInt8>, of start: Int) -> Int {
    let afterEscape = start + JSONEscape(in: span, at: start).length
    guard let introducer = JSONCharacter(in: span, at: afterEscape) else { return afterEscape }
    switch introducer.scalar {
    case "[": return endOfSequence(in: span, from: introducer.end, parameters: "0"..."?", finals: "@"..."~")
    case "]", "P", "X", "^", "_": return endOfString(in: span, from: introducer.end) ?? introducer.end
    default: return endOfSequence(in: span, from: afterEscape, parameters: " "..." ", finals: "0"..."~")
    }
  }

  private static var escapeCharacter: Unicode.Scalar { "\u{1B}" }

  /// Parameters, then intermediate characters, then one final character (ECMA-48, section 5.4).
  private static func endOfSequence(
    in span: Span<UInt8>, from start: Int, parameters: ClosedRange<Unicode.Scalar>,
    finals: ClosedRange<Unicode.Scalar>
  ) -> Int {
    var index = start
    while let character = JSONCharacter(in: span, at: index), parameters.contains(character.scalar) {
      index = character.end
    }
    while let character = JSONCharacter(in: span, at: index), (" "..."/").contains(character.scalar) {
      index = character.end
    }
    guard let final = JSONCharacter(in: span, at: index), finals.contains(final.scalar) else { return index }
    return final.end
  }

  /// Ends with BEL or ESC `\`. Nil if a control character or the end comes first.
  private static func endOfString(in span: Span<UInt8>, from start: Int) -> Int? {
    var index = start
    while let character = JSONCharacter(in: span, at: index) {
      if character.scalar == "\u{07}" { return character.end }
      if character.scalar == escapeCharacter {
        guard let last = JSONCharacter(in: span, at: character.end), last.scalar == "\\" else { return nil }
        return last.end
      }
      if character.scalar < " " { return nil }
      index = character.end
    }
    return nil
  }
}

/// A character in the contents of a JSON string. Non-ASCII characters are read byte by byte, as their values do not
/// matter.
private struct JSONCharacter {
  let scalar: Unicode.Scalar
  /// The start of the next character.
  let end: Int

  /// The character at `index`; nil at the end.
  init?(in span: Span<UInt8>, at index: Int) {
    guard index < span.count else { return nil }
    if span[index] == UInt8(ascii: "\\") {
      let escape = JSONEscape(in: span, at: index)
      scalar = escape.scalar
      end = min(index + escape.length, span.count)
    } else {
      scalar = Unicode.Scalar(span[index])
      end = index + 1
    }
  }
}
