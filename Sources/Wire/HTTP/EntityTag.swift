public import Bytes

/// An entity tag: `"abc"`, or weak `W/"abc"` (RFC 9110, 8.8.3).
public struct EntityTag: Sendable, Equatable {
  /// What stands between the quotes.
  public let opaque: Bytes
  /// True when equal tags promise the same meaning only, not the same bytes.
  public let isWeak: Bool

  /// A tag; `opaque` must hold neither quotes nor white space nor control characters.
  public init(opaque: Bytes, isWeak: Bool = false) {
    self.opaque = opaque
    self.isWeak = isWeak
  }

  /// The tag as it stands in a field.
  public var fieldValue: String { isWeak ? "W/\"\(opaque)\"" : "\"\(opaque)\"" }

  /// The weak comparison, for `If-None-Match` (RFC 9110, 8.8.3.2).
  public func weaklyMatches(_ other: EntityTag) -> Bool { opaque == other.opaque }

  /// The strong comparison, for `If-Match` and `If-Range`.
  public func stronglyMatches(_ other: EntityTag) -> Bool {
    !isWeak && !other.isWeak && opaque == other.opaque
  }

  /// The tags of a list such as `"a", W/"b"`; nil where it is not such a list (`*` is for the caller to know).
  public static func list(_ value: Bytes) -> [EntityTag]? {
    var tags: [EntityTag] = []
    var rest = value.trimmingBlanks()
    while !rest.isEmpty {
      if rest[0] == UInt8(ascii: ",") {
        rest = rest[1...].trimmingBlanks()
        continue
      }
      guard let tag = take(&rest) else { return nil }
      tags.append(tag)
      rest = rest.trimmingBlanks()
      guard rest.isEmpty || rest[0] == UInt8(ascii: ",") else { return nil }
    }
    return tags
  }

  /// True when an `If-Match` of `value` is met by `current`: it lists the tag, or is `*`. A value that is not understood is
  /// met by nothing.
  public static func match(_ value: Bytes, isMetBy current: EntityTag) -> Bool {
    isAny(value) || list(value)?.contains(where: current.stronglyMatches) ?? false
  }

  /// True when an `If-None-Match` of `value` is met by `current`, so that the answer is 304: it lists the tag, or is
  /// `*`. A value that is not understood matches nothing.
  public static func noneMatch(_ value: Bytes, isMetBy current: EntityTag) -> Bool {
    isAny(value) || list(value)?.contains(where: current.weaklyMatches) ?? false
  }

  private static func isAny(_ value: Bytes) -> Bool { value.trimmingBlanks().isEqual(to: "*") }

  private static func take(_ rest: inout Bytes) -> EntityTag? {
    let isWeak = rest.hasPrefix(weakness)
    let start = isWeak ? weakness.count : 0
    guard start < rest.count, rest[start] == UInt8(ascii: "\""),
      let end = rest.firstIndex(of: UInt8(ascii: "\""), from: start + 1)
    else { return nil }
    let opaque = rest[start + 1..<end]
    guard opaque.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }
    rest = rest[(end + 1)...]
    return EntityTag(opaque: opaque, isWeak: isWeak)
  }

  private static let weakness: Bytes = "W/"
}
