public import Bytes

/// An entity tag: `"abc"`, or weak `W/"abc"` (RFC 9110, 8.8.3).
public struct EntityTag: Sendable, Equatable {
  /// The text between the quotes.
  let opaque: Bytes
  /// True if equal tags mean equivalent representations, not the same bytes.
  let isWeak: Bool

  /// A tag; `opaque` has no quotes, white space or control characters.
  public init(opaque: Bytes, isWeak: Bool = false) {
    self.opaque = opaque
    self.isWeak = isWeak
  }

  /// The tag as fields have it.
  public var fieldValue: String { isWeak ? "W/\"\(opaque)\"" : "\"\(opaque)\"" }

  /// The weak comparison, for `If-None-Match` (RFC 9110, 8.8.3.2).
  func weaklyMatches(_ other: EntityTag) -> Bool { opaque == other.opaque }

  /// The strong comparison, for `If-Match` and `If-Range`.
  public func stronglyMatches(_ other: EntityTag) -> Bool {
    !isWeak && !other.isWeak && opaque == other.opaque
  }

  /// The tags of a list such as `"a", W/"b"`; nil if it is malformed. `*` is left to the caller.
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

  /// True if `current` meets an `If-Match` of `value`: it lists the tag, or is `*`. Nothing meets a malformed value.
  public static func match(_ value: Bytes, isMetBy current: EntityTag) -> Bool {
    isAny(value) || list(value)?.contains(where: current.stronglyMatches) ?? false
  }

  /// True if `current` is one of `If-None-Match`, so that the response is 304: `value` lists the tag, or is `*`. A
  /// malformed value lists nothing.
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
