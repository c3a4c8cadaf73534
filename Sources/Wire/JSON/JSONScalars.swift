public import Memory

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

  /// The text of a string, decoded; nil where the value is none. Lone surrogates become U+FFFD.
  public var string: String? { kind == .string ? JSONString.decode(contents: stringContents) : nil }

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
  public var integer: Int64? { kind == .number ? Int64(description) : nil }

  /// The nearest value of a number; nil where the value is no number, or is beyond all finite ones.
  public var number: Double? {
    guard kind == .number, let value = Double(description), value.isFinite else { return nil }
    return value
  }

  /// The value on one line, for newline-delimited JSON; see `SingleLine`. Without line breaks, these are the bytes as
  /// they are.
  public var singleLine: Bytes { findings.isOnOneLine ? bytes : SingleLine.of(bytes) }
}
