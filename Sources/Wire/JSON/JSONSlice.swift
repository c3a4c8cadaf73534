public import Bytes

/// One JSON value as the bytes that it came in.
///
/// All of it is known to be sound JSON (RFC 8259), so it can be passed on as it is. Nothing is decoded, and nothing is
/// copied, before it is asked for: a member that holds a large picture costs one pass over its bytes, the check.
public struct JSONSlice: Sendable {
  /// What a value is.
  public enum Kind: Sendable {
    /// `{…}`
    case object
    /// `[…]`
    case array
    /// `"…"`
    case string
    /// A number of any size and precision.
    case number
    /// `true`
    case `true`
    /// `false`
    case `false`
    /// `null`
    case null
  }

  /// How deep arrays and objects may nest unless told otherwise. Deep enough for anything that people or kernels send
  /// (Python's own encoder gives up near 1000), and shallow enough for the stack.
  public static let defaultMaximumDepth = 512

  /// The value, without white space around it.
  public let bytes: Bytes
  /// What the value is.
  public let kind: Kind

  /// What is known of `bytes`.
  let findings: JSONFindings

  /// The slice of sound JSON that `bytes` are.
  init(sound bytes: Bytes, _ findings: JSONFindings) {
    self.bytes = bytes
    self.kind = Kind(firstByte: bytes[0])
    self.findings = findings
  }

  /// The value at `range` within this one.
  func part(_ range: Range<Int>) -> JSONSlice { JSONSlice(sound: bytes[range], findings.within(range)) }

  /// Checks that `bytes` are one JSON text, with nothing but white space around it.
  ///
  /// Numbers keep their text, objects may name a member twice, and escaped surrogates need not come in pairs.
  public static func parse(
    _ bytes: Bytes, maximumDepth: Int = defaultMaximumDepth
  ) throws(JSONError) -> JSONSlice {
    var validator = JSONValidator(maximumDepth: maximumDepth)
    let range = try bytes.withSpan { (span) throws(JSONError) in try validator.document(span) }
    return JSONSlice(sound: bytes[range], validator.findings.within(range))
  }

  /// Like `parse`, but where strings hold bytes that are not UTF-8, these become U+FFFD in a copy. Kernels send such
  /// bytes for text that they could not decode themselves, and nobody wants to lose the output around them.
  public static func parseRepairingText(
    _ bytes: Bytes, maximumDepth: Int = defaultMaximumDepth
  ) throws(JSONError) -> JSONSlice {
    do {
      return try parse(bytes, maximumDepth: maximumDepth)
    } catch  where error.kind == .invalidText {
      return try parse(Bytes(String(bytes)), maximumDepth: maximumDepth)
    }
  }
}

extension JSONSlice.Kind {
  init(firstByte: UInt8) {
    switch firstByte {
    case UInt8(ascii: "{"): self = .object
    case UInt8(ascii: "["): self = .array
    case UInt8(ascii: "\""): self = .string
    case UInt8(ascii: "t"): self = .true
    case UInt8(ascii: "f"): self = .false
    case UInt8(ascii: "n"): self = .null
    default: self = .number
    }
  }
}

extension JSONSlice: Equatable {
  /// True when both are the same bytes. `1` and `1.0` differ, and so does the order of members.
  public static func == (left: JSONSlice, right: JSONSlice) -> Bool { left.bytes == right.bytes }
}

extension JSONSlice: CustomStringConvertible {
  /// The JSON text.
  public var description: String { String(bytes) }
}
