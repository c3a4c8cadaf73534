public import Bytes

extension JSONSlice {
  /// True for `null`.
  public var isNull: Bool { kind == .null }

  /// The value of `true` and `false`, else nil.
  public var bool: Bool? {
    switch kind {
    case .true: true
    case .false: false
    default: nil
    }
  }

  /// The decoded text of a string in UTF-8; nil if the value is not a string. Lone surrogates become U+FFFD.
  public var text: Bytes? { kind == .string ? JSONString.decode(contents: stringContents) : nil }

  /// The text of a string if it is ASCII and at most `limit` bytes long, else nil. It may be compared, hashed and
  /// searched. Longer strings are not decoded.
  public func ascii(atMost limit: Int) -> String? {
    // An escape takes at most six bytes per ASCII character.
    guard kind == .string, bytes.count <= 6 * limit + 2 else { return nil }
    return text?.ascii(atMost: limit)
  }

  /// The beginning of a string's text for messages to people, about `limit` bytes; nil if the value is not a string.
  public func excerpt(atMost limit: Int = 1000) -> String? {
    guard kind == .string else { return nil }
    guard stringContents.count > limit else { return text.map(String.init) }
    return String(JSONString.decode(contents: stringContents[0..<limit])) + "…"
  }

  /// True if the value is the string `text`, however it is escaped. Nothing is decoded. Also used by `case "name":` in
  /// a `switch`.
  public func isString(_ text: String) -> Bool {
    guard kind == .string else { return false }
    let name = text.utf8.span
    return bytes.withSpan { JSONString.isEqual(1..<$0.count - 1, of: $0, to: name) }
  }

  /// See `isString`.
  public static func ~= (text: String, value: JSONSlice) -> Bool { value.isString(text) }

  /// The contents of a string, still escaped; empty if the value is not a string.
  public var stringContents: Bytes { kind == .string ? bytes[1..<bytes.count - 1] : Bytes() }

  /// The value of a number without fraction and exponent, if it fits.
  public var integer: Int64? { isShortNumber ? Int64(description) : nil }

  /// The nearest value of a number; nil if it is beyond all finite ones or has more than 1024 digits.
  public var number: Double? {
    guard isShortNumber, let value = Double(description), value.isFinite else { return nil }
    return value
  }

  private var isShortNumber: Bool { kind == .number && bytes.count <= Self.longestNumber }

  /// Longer than any number that a program writes.
  private static let longestNumber = 1024

  /// The value as one line of ASCII for newline-delimited JSON, see `ASCIILine`. Shares the memory if it is one
  /// already.
  public var asciiLine: Bytes { findings.isASCIILine ? bytes : ASCIILine.of(bytes) }
}
