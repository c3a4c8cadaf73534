/// Why bytes are not JSON (RFC 8259).
public struct JSONError: Error, Equatable, Sendable {
  /// What was wrong.
  enum Kind: Sendable {
    /// The bytes end inside a value.
    case unexpectedEnd
    /// A byte that is not allowed in its place, such as `NaN`, single quotes and comments.
    case unexpectedByte
    /// A number that RFC 8259, section 6 does not allow, such as `01`, `+1`, `.5` or `1.`.
    case invalidNumber
    /// An unescaped control character in a string.
    case controlCharacter
    /// An escape that RFC 8259, section 7 does not define.
    case invalidEscape
    /// A string that is not UTF-8.
    case invalidText
    /// A byte order mark, which RFC 8259, section 8.1 forbids.
    case byteOrderMark
    /// Arrays and objects nested deeper than the limit.
    case tooDeep
    /// Bytes other than white space after the value.
    case trailingBytes
  }

  /// What was wrong.
  let kind: Kind
  /// The offset of the error, in bytes.
  let offset: Int

  init(_ kind: Kind, at offset: Int) {
    self.kind = kind
    self.offset = offset
  }
}

extension JSONError: CustomStringConvertible {
  /// One line, without any of the bytes.
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
