/// A test of eight bytes at a time: which of them interrupt a run that needs no attention.
///
/// The result has the high bit of a byte set where the byte interrupts. Bytes behind the first such byte may be wrong
/// (a subtraction borrows from them), the first one never is, and none is set where there is none.
protocol ByteTest {
  static func flags(_ word: UInt64) -> UInt64
  static func flags(_ block: SIMD8<UInt64>) -> SIMD8<UInt64>
}

/// Bytes of a JSON string that need a look: the quote, the backslash, control characters, and all beyond ASCII.
enum NotPlainText: ByteTest {
  @inline(__always)
  static func flags(_ word: UInt64) -> UInt64 {
    let quote = (word ^ (.ones &* 0x22)) &- .ones
    let backslash = (word ^ (.ones &* 0x5C)) &- .ones
    let control = word &- (.ones &* 0x20)
    // The differences also flag some bytes beyond ASCII, which `word` flags anyhow.
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

/// The bytes that end a run within a JSON string known to be sound: the quote and the backslash.
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

/// Bytes that a JSON string cannot hold as they are: the quote, the backslash and control characters.
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

/// The bytes that end a line, and all beyond ASCII.
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

/// Bytes beyond ASCII.
enum NotASCII: ByteTest {
  @inline(__always)
  static func flags(_ word: UInt64) -> UInt64 { word & .highBits }

  @inline(__always)
  static func flags(_ block: SIMD8<UInt64>) -> SIMD8<UInt64> { block & SIMD8(repeating: .highBits) }
}

extension UInt64 {
  static var ones: UInt64 { 0x0101_0101_0101_0101 }
  static var highBits: UInt64 { 0x8080_8080_8080_8080 }
}

/// Finds the first byte that a test flags.
///
/// Most strings are short and end within the first words; long ones are read in blocks of 64 bytes, which the compiler
/// turns into vector instructions with one bounds check a block.
enum ByteSearch<Test: ByteTest> {
  /// Where the first byte at or behind `start` is that the test flags, or the count of `span`.
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

  /// Letters above the one byte that is asked about; no test flags them.
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

  /// The 64 bytes at `index`. In which order does not matter to those who ask whether a flag is set at all.
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
