import Memory

/// Puts sound JSON on one line, whoever splits the lines.
///
/// Between tokens a line break says as much as a space. Strings hold no line feed and no carriage return that is not
/// escaped, but U+0085, U+2028 and U+2029 may stand in them as they are, and readers that split lines by Unicode's
/// rules (Python's `str.splitlines`, which httpx uses) would cut the JSON there: they are escaped.
enum SingleLine {
  /// The same memory where nothing needs a change.
  static func of(_ bytes: Bytes) -> Bytes {
    bytes.withSpan { span in
      guard let first = firstBreak(in: span, from: 0) else { return bytes }
      var line = ByteBuffer()
      line.reserve(span.count + 16)
      var start = 0
      var next: Break? = first
      while let found = next {
        line.append(bytes[start..<found.offset])
        line.append(found.replacement)
        start = found.offset + found.length
        next = firstBreak(in: span, from: start)
      }
      line.append(bytes[start...])
      return line.takeAll()
    }
  }

  private struct Break {
    let offset: Int
    let length: Int
    let replacement: Bytes
  }

  private static func firstBreak(in span: Span<UInt8>, from start: Int) -> Break? {
    var offset = ByteSearch<LineBreak>.first(in: span, from: start)
    while offset < span.count {
      if let found = lineBreak(in: span, at: offset) { return found }
      offset = ByteSearch<LineBreak>.first(in: span, from: offset + 1)
    }
    return nil
  }

  private static func lineBreak(in span: Span<UInt8>, at offset: Int) -> Break? {
    let second = offset + 1 < span.count ? span[offset + 1] : 0
    let third = offset + 2 < span.count ? span[offset + 2] : 0
    return switch (span[offset], second, third) {
    case (0x0A, _, _), (0x0D, _, _): Break(offset: offset, length: 1, replacement: " ")
    case (0xC2, 0x85, _): Break(offset: offset, length: 2, replacement: "\\u0085")
    case (0xE2, 0x80, 0xA8): Break(offset: offset, length: 3, replacement: "\\u2028")
    case (0xE2, 0x80, 0xA9): Break(offset: offset, length: 3, replacement: "\\u2029")
    default: nil
    }
  }
}
