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

  /// The text of a string, decoded, as UTF-8; nil where the value is none. Lone surrogates become U+FFFD.
  public var text: Bytes? { kind == .string ? JSONString.decode(contents: stringContents) : nil }

  /// The text of a string that is ASCII and not longer than `limit` bytes, else nil: what may be compared, hashed and
  /// searched. A longer one is not even decoded.
  public func ascii(atMost limit: Int) -> String? {
    // An escape takes six bytes at the most for one of ASCII.
    guard kind == .string, bytes.count <= 6 * limit + 2 else { return nil }
    return text?.ascii(atMost: limit)
  }

  /// The beginning of a string's text, for people, of some `limit` bytes; nil where the value is none.
  public func excerpt(atMost limit: Int = 1000) -> String? {
    guard kind == .string else { return nil }
    guard stringContents.count > limit else { return text.map(String.init) }
    return String(JSONString.decode(contents: stringContents[0..<limit])) + "…"
  }

  /// True for the string that says `text`, in whatever way it is escaped. Nothing is decoded for that: it is how members
  /// are told apart, as `case "name":` in a `switch` too.
  public func isString(_ text: String) -> Bool {
    guard kind == .string else { return false }
    let name = text.utf8.span
    return bytes.withSpan { JSONString.isEqual(1..<$0.count - 1, of: $0, to: name) }
  }

  /// See `isString`.
  public static func ~= (text: String, value: JSONSlice) -> Bool { value.isString(text) }

  /// What stands between the quotes of a string, still escaped; no bytes where the value is no string.
  public var stringContents: Bytes { kind == .string ? bytes[1..<bytes.count - 1] : Bytes() }

  /// The value of a number that is written without a fraction and without an exponent, and fits.
  public var integer: Int64? {
    kind == .number && bytes.count <= Self.longestNumber ? Int64(description) : nil
  }

  /// Longer than any that a program writes.
  private static let longestNumber = 1024

  /// The value as one line of ASCII, for newline-delimited JSON; see `ASCIILine`. Where it is one already, these are the
  /// bytes as they are.
  public var asciiLine: Bytes { findings.isASCIILine ? bytes : ASCIILine.of(bytes) }
}
