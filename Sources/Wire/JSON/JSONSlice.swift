public import Bytes

/// A JSON value, as a slice of the bytes that it was received in.
///
/// The bytes are known to be valid JSON (RFC 8259), so they can be passed on unchanged. Nothing is decoded or copied
/// before it is read: a member with a large picture costs one validating pass.
public struct JSONSlice: Sendable {
  /// The kind of a value.
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

  /// The default limit of nesting. Deeper than anything that people or kernels send (Python's encoder fails near
  /// 1000), and shallow enough for the stack.
  public static let defaultMaximumDepth = 512

  /// The value, without white space around it.
  public let bytes: Bytes
  /// The kind of the value.
  public let kind: Kind

  /// The findings of the validation.
  let findings: JSONFindings

  /// A value whose bytes are known to be valid.
  init(sound bytes: Bytes, _ findings: JSONFindings) {
    self.bytes = bytes
    self.kind = Kind(firstByte: bytes[0])
    self.findings = findings
  }

  /// The value at `range` within this one.
  func part(_ range: Range<Int>) -> JSONSlice { JSONSlice(sound: bytes[range], findings.within(range)) }

  /// Validates `bytes` as one JSON text, with optional white space around it.
  ///
  /// Numbers keep their text, objects may repeat names, and escaped surrogates need not come in pairs.
  public static func parse(
    _ bytes: Bytes, maximumDepth: Int = defaultMaximumDepth
  ) throws(JSONError) -> JSONSlice {
    var validator = JSONValidator(maximumDepth: maximumDepth)
    let range = try bytes.withSpan { (span) throws(JSONError) in try validator.document(span) }
    return JSONSlice(sound: bytes[range], validator.findings.within(range))
  }

  /// Like `parse`, but bytes in strings that are not UTF-8 become U+FFFD in a copy. Kernels send such bytes for text
  /// that they could not decode, and the output around them should not be lost.
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
  /// True if both have the same bytes. `1` and `1.0` differ, and so does the order of members.
  public static func == (left: JSONSlice, right: JSONSlice) -> Bool { left.bytes == right.bytes }
}

extension JSONSlice: CustomStringConvertible {
  /// The JSON text.
  public var description: String { String(bytes) }
}
