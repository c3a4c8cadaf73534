/// A test of eight bytes at a time for the bytes that end a run.
///
/// The result has the high bit of each matching byte set. Bits after the first match may be wrong, because a
/// subtraction borrows from them. The first one is always right, and without a match none is set.
protocol ByteTest {
  static func flags(_ word: UInt64) -> UInt64
  static func flags(_ block: SIMD8<UInt64>) -> SIMD8<UInt64>
}

/// The bytes of a JSON string that need attention: the quote, the backslash, control characters, and all non-ASCII
/// bytes.
enum NotPlainText: ByteTest {
  @inline(__always)
  static func flags(_ word: UInt64) -> UInt64 {
    let quote = (word ^ (.ones &* 0x22)) &- .ones
    let backslash = (word ^ (.ones &* 0x5C)) &- .ones
    let control = word &- (.ones &* 0x20)
    // The differences also match some non-ASCII bytes, which `word` matches anyway.
    return (quote | backslash | control | word) & .highBits
  }

  @inline(__always)
  static func flags(_ block: SIMD8<UInt64>) -> SIMD8<UInt64> {
    let ones = SIMD8(repeating: UInt64.ones)
    let quote = (block ^ SIMD8(repeating: .ones &* 0x22)) &- ones
    let backslash = (block ^ SIMD8(repeating: .ones &* 0x5C)) &- ones
    let control = block &- SIMD8(repeating: .ones &* 0x20)
    return (quote | backslash | control | block) & SIMD8(repeating: .highBits)
  }
}

/// The bytes that end a run in a valid JSON string: the quote and the backslash.
enum QuoteOrBackslash: ByteTest {
  @inline(__always)
  static func flags(_ word: UInt64) -> UInt64 {
    let quote = word ^ (.ones &* 0x22)
    let backslash = word ^ (.ones &* 0x5C)
    return ((quote &- .ones) & ~quote | (backslash &- .ones) & ~backslash) & .highBits
  }

  @inline(__always)
  static func flags(_ block: SIMD8<UInt64>) -> SIMD8<UInt64> {
    let ones = SIMD8(repeating: UInt64.ones)
    let quote = block ^ SIMD8(repeating: .ones &* 0x22)
    let backslash = block ^ SIMD8(repeating: .ones &* 0x5C)
    return ((quote &- ones) & ~quote | (backslash &- ones) & ~backslash) & SIMD8(repeating: .highBits)
  }
}

/// The bytes that must be escaped in a JSON string: the quote, the backslash and control characters.
enum NeedsEscape: ByteTest {
  @inline(__always)
  static func flags(_ word: UInt64) -> UInt64 {
    let quote = word ^ (.ones &* 0x22)
    let backslash = word ^ (.ones &* 0x5C)
    let control = (word &- (.ones &* 0x20)) & ~word
    return ((quote &- .ones) & ~quote | (backslash &- .ones) & ~backslash | control) & .highBits
  }

  @inline(__always)
  static func flags(_ block: SIMD8<UInt64>) -> SIMD8<UInt64> {
    let ones = SIMD8(repeating: UInt64.ones)
    let quote = block ^ SIMD8(repeating: .ones &* 0x22)
    let backslash = block ^ SIMD8(repeating: .ones &* 0x5C)
    let control = (block &- SIMD8(repeating: .ones &* 0x20)) & ~block
    return ((quote &- ones) & ~quote | (backslash &- ones) & ~backslash | control)
      & SIMD8(repeating: .highBits)
  }
}

/// Line breaks, and all non-ASCII bytes.
enum NotLineOfASCII: ByteTest {
  @inline(__always)
  static func flags(_ word: UInt64) -> UInt64 {
    let lineFeed = word ^ (.ones &* 0x0A)
    let carriageReturn = word ^ (.ones &* 0x0D)
    let ends = (lineFeed &- .ones) & ~lineFeed | (carriageReturn &- .ones) & ~carriageReturn
    return (ends | word) & .highBits
  }

  @inline(__always)
  static func flags(_ block: SIMD8<UInt64>) -> SIMD8<UInt64> {
    let ones = SIMD8(repeating: UInt64.ones)
    let lineFeed = block ^ SIMD8(repeating: .ones &* 0x0A)
    let carriageReturn = block ^ SIMD8(repeating: .ones &* 0x0D)
    let ends = (lineFeed &- ones) & ~lineFeed | (carriageReturn &- ones) & ~carriageReturn
    return (ends | block) & SIMD8(repeating: .highBits)
  }
}

extension UInt64 {
  static var ones: UInt64 { 0x0101_0101_0101_0101 }
  static var highBits: UInt64 { 0x8080_8080_8080_8080 }
}

/// Finds the first byte that a test matches.
///
/// Most strings are short and end within the first words. Long ones are read in blocks of 64 bytes, which the compiler
/// turns into vector instructions with one bounds check per block.
enum ByteSearch<Test: ByteTest> {
  /// The index of the first matching byte from `start` on, or the count of `span`.
  @inline(__always)
  static func first(in span: Span<UInt8>, from start: Int) -> Int {
    var index = start
    let wordsEnd = Swift.min(span.count, start + 32)
    while index <= wordsEnd - 8 {
      let flags = Test.flags(span.word(at: index))
      if flags != 0 { return index + flags.trailingZeroBitCount / 8 }
      index += 8
    }
    return firstOfMany(in: span, from: index)
  }

  /// Pads the word above the byte with letters, which no test matches.
  private static var filler: UInt64 { 0x6161_6161_6161_6100 }

  @inline(never)
  private static func firstOfMany(in span: Span<UInt8>, from start: Int) -> Int {
    var index = start
    while index <= span.count - 64, !Test.flags(span.block(at: index)).hasBits { index += 64 }
    while index <= span.count - 8 {
      let flags = Test.flags(span.word(at: index))
      if flags != 0 { return index + flags.trailingZeroBitCount / 8 }
      index += 8
    }
    while index < span.count, Test.flags(filler | UInt64(span[index])) & 0x80 == 0 { index += 1 }
    return index
  }
}

extension Span<UInt8> {
  /// The eight bytes at `index`, the first one lowest.
  @inline(__always)
  func word(at index: Int) -> UInt64 {
    UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
  }

  /// The 64 bytes at `index`, in any order: callers only ask whether any bit is set.
  @inline(__always)
  func block(at index: Int) -> SIMD8<UInt64> {
    bytes.unsafeLoadUnaligned(fromByteOffset: index, as: SIMD8<UInt64>.self)
  }
}

extension SIMD8<UInt64> {
  /// True where any bit is set.
  @inline(__always)
  var hasBits: Bool {
    let four = lowHalf | highHalf
    let two = four.lowHalf | four.highHalf
    return two.x | two.y != 0
  }
}
