public import Bytes

extension JSONString {
  /// The decoded text of `contents` in UTF-8. Lone surrogates become U+FFFD.
  public static func decode(contents: Bytes) -> Bytes {
    contents.withSpan { span in
      var end = ByteSearch<QuoteOrBackslash>.first(in: span, from: 0)
      guard end < span.count else { return contents }
      var text = ByteBuffer()
      text.reserve(span.count)
      var start = 0
      while end < span.count {
        text.append(contents[start..<end])
        let escape = JSONEscape(in: span, at: end)
        text.append(String(Character(escape.scalar)))
        start = min(end + escape.length, span.count)
        end = ByteSearch<QuoteOrBackslash>.first(in: span, from: start)
      }
      text.append(contents[start...])
      return text.takeAll()
    }
  }

  /// True if the contents at `range` of `span` decode to `name`.
  static func isEqual(_ range: Range<Int>, of span: Span<UInt8>, to name: Span<UInt8>) -> Bool {
    // An escape is never shorter than its character.
    guard range.count >= name.count else { return false }
    var index = range.lowerBound
    var position = 0
    while index < range.upperBound {
      guard span[index] == UInt8(ascii: "\\") else {
        guard position < name.count, span[index] == name[position] else { return false }
        index += 1
        position += 1
        continue
      }
      let escape = JSONEscape(in: span, at: index)
      for byte in String(escape.scalar).utf8 {
        guard position < name.count, byte == name[position] else { return false }
        position += 1
      }
      index += escape.length
    }
    return position == name.count
  }
}

/// An escape in a valid JSON string, or two that form a surrogate pair.
struct JSONEscape {
  let scalar: Unicode.Scalar
  /// Its length in the string, in bytes.
  let length: Int

  /// The escape whose backslash is at `index`.
  init(in span: Span<UInt8>, at index: Int) {
    guard index + 1 < span.count, span[index + 1] == UInt8(ascii: "u") else {
      self.init(Self.short(index + 1 < span.count ? span[index + 1] : UInt8(ascii: "\\")), length: 2)
      return
    }
    let unit = Self.unit(in: span, at: index)
    if let high = unit, high & 0xFC00 == 0xD800, let low = Self.unit(in: span, at: index + 6),
      low & 0xFC00 == 0xDC00
    {
      self.init(0x10000 + (high & 0x3FF) << 10 + low & 0x3FF, length: 12)
    } else {
      self.init(unit ?? 0xFFFD, length: 6)
    }
  }

  private init(_ value: UInt32, length: Int) {
    // A lone surrogate is not a character.
    self.scalar = Unicode.Scalar(value) ?? "\u{FFFD}"
    self.length = length
  }

  private static func short(_ letter: UInt8) -> UInt32 {
    switch letter {
    case UInt8(ascii: "b"): 0x08
    case UInt8(ascii: "f"): 0x0C
    case UInt8(ascii: "n"): 0x0A
    case UInt8(ascii: "r"): 0x0D
    case UInt8(ascii: "t"): 0x09
    default: UInt32(letter)
    }
  }

  /// The UTF-16 unit of the `\uXXXX` at `index`; nil if there is none.
  private static func unit(in span: Span<UInt8>, at index: Int) -> UInt32? {
    guard index <= span.count - 6, span[index] == UInt8(ascii: "\\"), span[index + 1] == UInt8(ascii: "u")
    else {
      return nil
    }
    var value: UInt32 = 0
    for offset in 2..<6 {
      guard let digit = span[index + offset].hexadecimalValue else { return nil }
      value = value << 4 | UInt32(digit)
    }
    return value
  }
}
