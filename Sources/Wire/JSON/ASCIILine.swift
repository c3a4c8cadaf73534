import Bytes

/// Converts valid JSON to one line of ASCII.
///
/// Non-ASCII characters occur only inside strings, where they can be escaped (RFC 8259, section 7). So no read ends
/// inside a character, and a client that decodes each read separately loses nothing. Ending HTTP chunks at characters
/// would not help, as reads do not end where chunks do. Characters that some clients take for line breaks (U+0085,
/// U+2028 and U+2029 in Python's `str.splitlines`) are escaped too. A line break between tokens becomes a space.
enum ASCIILine {
  /// Shares the memory if nothing has to be changed.
  static func of(_ bytes: Bytes) -> Bytes {
    bytes.withSpan { span in
      var index = ByteSearch<NotLineOfASCII>.first(in: span, from: 0)
      guard index < span.count else { return bytes }
      var line = ByteBuffer()
      line.reserve(index + length(of: span, from: index) + 8)
      line.append(bytes[0..<index])
      while index < span.count {
        index = escapeRun(in: span, from: index, into: &line)
        let end = ByteSearch<NotLineOfASCII>.first(in: span, from: index)
        if end > index { line.append(bytes[index..<end]) }
        index = end
      }
      return line.takeAll()
    }
  }

  /// Writes the replacement of the run at `start`; returns the end of the run.
  @inline(__always)
  private static func escapeRun(in span: Span<UInt8>, from start: Int, into line: inout ByteBuffer) -> Int {
    var index = start
    while index < span.count {
      let byte = span[index]
      if byte >= 0x80 {
        let (scalar, length) = character(in: span, at: index)
        append(scalar, to: &line)
        index += length
      } else if byte == 0x0A || byte == 0x0D {
        line.append(UInt8(ascii: " "))
        index += 1
      } else {
        break
      }
    }
    return index
  }

  /// The non-ASCII character at `index`, and its length in bytes; U+FFFD if it is truncated.
  @inline(__always)
  private static func character(in span: Span<UInt8>, at index: Int) -> (scalar: UInt32, length: Int) {
    let first = UInt32(span[index])
    let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
    guard index <= span.count - length else { return (0xFFFD, 1) }
    let second = UInt32(span[index + 1] & 0x3F)
    if length == 2 { return ((first & 0x1F) << 6 | second, 2) }
    let third = second << 6 | UInt32(span[index + 2] & 0x3F)
    if length == 3 { return ((first & 0x0F) << 12 | third, 3) }
    return ((first & 0x07) << 18 | third << 6 | UInt32(span[index + 3] & 0x3F), 4)
  }

  @inline(__always)
  private static func append(_ scalar: UInt32, to line: inout ByteBuffer) {
    if scalar >= 0x10000 {
      line.append(littleEndian: escape(0xD7C0 &+ (scalar >> 10)), byteCount: 6)
      line.append(littleEndian: escape(0xDC00 | (scalar & 0x3FF)), byteCount: 6)
    } else {
      line.append(littleEndian: escape(scalar), byteCount: 6)
    }
  }

  /// The escape `\uXXXX` of a UTF-16 unit, with its first byte lowest.
  @inline(__always)
  private static func escape(_ unit: UInt32) -> UInt64 {
    let unit = UInt64(unit)
    let digits =
      unit >> 12 & 0xF | (unit >> 8 & 0xF) << 8 | (unit >> 4 & 0xF) << 16 | (unit & 0xF) << 24
    let letters = (digits &+ 0x0606_0606) >> 4 & 0x0101_0101
    let hexadecimal = digits &+ 0x3030_3030 &+ letters &* 39
    return 0x755C | hexadecimal << 16
  }

  /// The length of the converted line from `start` on, in bytes.
  private static func length(of span: Span<UInt8>, from start: Int) -> Int {
    var length = span.count - start
    var index = start
    while index <= span.count - 8 {
      length += growth(span.word(at: index))
      index += 8
    }
    while index < span.count {
      length += growth(UInt64(span[index]))
      index += 1
    }
    return length
  }

  /// The growth of eight bytes: the first byte of each character becomes 6 or 12 bytes, the others none.
  @inline(__always)
  private static func growth(_ word: UInt64) -> Int {
    let beyond = word & .highBits
    let first = beyond & (word << 1)
    let firstOfFour = first & (word << 2) & (word << 3)
    return 6 * first.nonzeroBitCount + 6 * firstOfFour.nonzeroBitCount - beyond.nonzeroBitCount
  }
}
