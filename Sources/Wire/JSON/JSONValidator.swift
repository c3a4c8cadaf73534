/// Validates one JSON text. Decodes nothing.
struct JSONValidator {
  private(set) var index = 0
  private(set) var findings = JSONFindings()
  private let maximumDepth: Int

  init(maximumDepth: Int) { self.maximumDepth = maximumDepth }

  /// Reads white space, one value and white space up to the end. Returns the range of the value.
  mutating func document(_ span: Span<UInt8>) throws(JSONError) -> Range<Int> {
    if span.count >= 3, span[0] == 0xEF, span[1] == 0xBB, span[2] == 0xBF {
      throw JSONError(.byteOrderMark, at: 0)
    }
    skipWhiteSpace(span)
    let start = index
    try value(span, depth: 0)
    let end = index
    skipWhiteSpace(span)
    guard index == span.count else { throw JSONError(.trailingBytes, at: index) }
    return start..<end
  }

  private mutating func value(_ span: Span<UInt8>, depth: Int) throws(JSONError) {
    guard index < span.count else { throw JSONError(.unexpectedEnd, at: index) }
    switch span[index] {
    case UInt8(ascii: "\""): try string(span)
    case UInt8(ascii: "{"): try object(span, depth: depth)
    case UInt8(ascii: "["): try array(span, depth: depth)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number(span)
    case UInt8(ascii: "t"): try word("true", span)
    case UInt8(ascii: "f"): try word("false", span)
    case UInt8(ascii: "n"): try word("null", span)
    default: throw JSONError(.unexpectedByte, at: index)
    }
  }

  private mutating func object(_ span: Span<UInt8>, depth: Int) throws(JSONError) {
    guard depth < maximumDepth else { throw JSONError(.tooDeep, at: index) }
    index += 1
    skipWhiteSpace(span)
    if take(UInt8(ascii: "}"), span) { return }
    repeat {
      skipWhiteSpace(span)
      guard index < span.count else { throw JSONError(.unexpectedEnd, at: index) }
      guard span[index] == UInt8(ascii: "\"") else { throw JSONError(.unexpectedByte, at: index) }
      try string(span)
      skipWhiteSpace(span)
      try expect(UInt8(ascii: ":"), span)
      skipWhiteSpace(span)
      try value(span, depth: depth + 1)
      skipWhiteSpace(span)
    } while take(UInt8(ascii: ","), span)
    try expect(UInt8(ascii: "}"), span)
  }

  private mutating func array(_ span: Span<UInt8>, depth: Int) throws(JSONError) {
    guard depth < maximumDepth else { throw JSONError(.tooDeep, at: index) }
    index += 1
    skipWhiteSpace(span)
    if take(UInt8(ascii: "]"), span) { return }
    repeat {
      skipWhiteSpace(span)
      try value(span, depth: depth + 1)
      skipWhiteSpace(span)
    } while take(UInt8(ascii: ","), span)
    try expect(UInt8(ascii: "]"), span)
  }

  private mutating func string(_ span: Span<UInt8>) throws(JSONError) {
    let start = index
    index += 1
    while true {
      index = ByteSearch<NotPlainText>.first(in: span, from: index)
      guard index < span.count else { throw JSONError(.unexpectedEnd, at: index) }
      switch span[index] {
      case UInt8(ascii: "\""):
        index += 1
        findings.note(string: start..<index)
        return
      case UInt8(ascii: "\\"):
        try escape(span)
      case 0x80...:
        guard let end = UTF8Check.endOfRun(in: span, from: index) else {
          throw JSONError(.invalidText, at: index)
        }
        index = end
        findings.isASCIILine = false
      default:
        throw JSONError(.controlCharacter, at: index)
      }
    }
  }

  /// Surrogates need not come in pairs: RFC 8259, section 8.2 leaves that open, and kernels send lone ones.
  private mutating func escape(_ span: Span<UInt8>) throws(JSONError) {
    guard index + 1 < span.count else { throw JSONError(.unexpectedEnd, at: span.count) }
    switch span[index + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      index += 2
    case UInt8(ascii: "u"):
      for offset in 2..<6 {
        guard index + offset < span.count else { throw JSONError(.unexpectedEnd, at: span.count) }
        guard span[index + offset].hexadecimalValue != nil else { throw JSONError(.invalidEscape, at: index) }
      }
      index += 6
    default:
      throw JSONError(.invalidEscape, at: index)
    }
  }

  private mutating func number(_ span: Span<UInt8>) throws(JSONError) {
    let start = index
    _ = take(UInt8(ascii: "-"), span)
    if !take(UInt8(ascii: "0"), span) { try digits(span, ofNumberAt: start) }
    if take(UInt8(ascii: "."), span) { try digits(span, ofNumberAt: start) }
    if take(UInt8(ascii: "e"), span) || take(UInt8(ascii: "E"), span) {
      if !take(UInt8(ascii: "+"), span) { _ = take(UInt8(ascii: "-"), span) }
      try digits(span, ofNumberAt: start)
    }
    // Otherwise "01" and "1.2.3" would be reported as a missing comma.
    if index < span.count, span[index].isDigit || span[index] == UInt8(ascii: ".") {
      throw JSONError(.invalidNumber, at: start)
    }
  }

  private mutating func digits(_ span: Span<UInt8>, ofNumberAt start: Int) throws(JSONError) {
    guard index < span.count else { throw JSONError(.unexpectedEnd, at: index) }
    guard span[index].isDigit else { throw JSONError(.invalidNumber, at: start) }
    while index < span.count, span[index].isDigit { index += 1 }
  }

  private mutating func word(_ word: String, _ span: Span<UInt8>) throws(JSONError) {
    for letter in word.utf8 { try expect(letter, span) }
  }

  @inline(__always)
  private mutating func expect(_ byte: UInt8, _ span: Span<UInt8>) throws(JSONError) {
    guard index < span.count else { throw JSONError(.unexpectedEnd, at: index) }
    guard span[index] == byte else { throw JSONError(.unexpectedByte, at: index) }
    index += 1
  }

  @inline(__always)
  private mutating func take(_ byte: UInt8, _ span: Span<UInt8>) -> Bool {
    guard index < span.count, span[index] == byte else { return false }
    index += 1
    return true
  }

  @inline(__always)
  private mutating func skipWhiteSpace(_ span: Span<UInt8>) {
    while index < span.count, span[index].isJSONWhiteSpace {
      if span[index] == 0x0A || span[index] == 0x0D { findings.isASCIILine = false }
      index += 1
    }
  }
}

extension UInt8 {
  /// White space (RFC 8259, section 2).
  @inline(__always)
  var isJSONWhiteSpace: Bool {
    self <= 0x20 && (self == 0x20 || self == 0x0A || self == 0x0D || self == 0x09)
  }
}
