/// Why bytes are not JSON as RFC 8259 has it.
public struct JSONError: Error, Equatable, Sendable {
  /// What was wrong.
  enum Kind: Sendable {
    /// The bytes end within a value.
    case unexpectedEnd
    /// A byte that cannot stand where it stands (`NaN`, single quotes and comments included).
    case unexpectedByte
    /// A number that RFC 8259 section 6 does not allow, such as `01`, `+1`, `.5` or `1.`.
    case invalidNumber
    /// A control character that is not escaped within a string.
    case controlCharacter
    /// A backslash that is followed by none of the letters of RFC 8259 section 7.
    case invalidEscape
    /// Bytes within a string that are not UTF-8.
    case invalidText
    /// A byte order mark, which RFC 8259 section 8.1 forbids.
    case byteOrderMark
    /// Arrays and objects nested deeper than the limit.
    case tooDeep
    /// Something other than white space behind the value.
    case trailingBytes
  }

  /// What was wrong.
  let kind: Kind
  /// Where, in bytes from the front.
  let offset: Int

  init(_ kind: Kind, at offset: Int) {
    self.kind = kind
    self.offset = offset
  }
}

extension JSONError: CustomStringConvertible {
  /// One line for people, without any of the bytes.
  public var description: String { "\(reason) at byte \(offset)" }

  private var reason: String {
    switch kind {
    case .unexpectedEnd: "JSON ends within a value"
    case .unexpectedByte: "unexpected byte in JSON"
    case .invalidNumber: "malformed number in JSON"
    case .controlCharacter: "control character in a JSON string"
    case .invalidEscape: "unknown escape in a JSON string"
    case .invalidText: "JSON is not UTF-8"
    case .byteOrderMark: "byte order mark before JSON"
    case .tooDeep: "JSON is nested too deeply"
    case .trailingBytes: "bytes after the end of JSON"
    }
  }
}
