/// Finds what ECMA-48 calls control functions in the contents of a JSON string, where ESC is written `\u001b`.
enum TerminalControl {
  /// Where the first escaped ESC at or behind `start` is, or the count of `span`.
  static func first(in span: Span<UInt8>, from start: Int) -> Int {
    var index = start
    while true {
      index = ByteSearch<QuoteOrBackslash>.first(in: span, from: index)
      guard index < span.count - 1 else { return span.count }
      // All other escapes are common, and are two bytes long.
      if span[index + 1] == UInt8(ascii: "u"), JSONEscape(in: span, at: index).scalar == escapeCharacter {
        return index
      }
      index += 2
    }
  }

  /// Where the control function ends whose ESC is at `start`. Of one that is cut off only what introduces it counts.
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

  /// Parameters, then intermediate characters, then one final character (ECMA-48 section 5.4).
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

  /// Up to BEL or ESC `\`. Nil where a control character or the end comes before.
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

/// One character of the contents of a JSON string. Those beyond ASCII are read byte by byte, as nobody asks what
/// they are.
private struct JSONCharacter {
  let scalar: Unicode.Scalar
  /// Where the next one begins.
  let end: Int

  /// The character at `index`, or nil at the end.
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
