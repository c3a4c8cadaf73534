/// An entity tag: `"abc"`, or weak `W/"abc"` (RFC 9110, 8.8.3).
public struct EntityTag: Sendable, Equatable {
  /// What stands between the quotes.
  public let opaque: String
  /// True when equal tags promise the same meaning only, not the same bytes.
  public let isWeak: Bool

  /// A tag; `opaque` must hold neither quotes nor white space nor control characters.
  public init(opaque: String, isWeak: Bool = false) {
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
  public static func list(_ value: String) -> [EntityTag]? {
    var tags: [EntityTag] = []
    var rest = value.utf8[...].trimmingBlanks()
    while !rest.isEmpty {
      if rest.first == UInt8(ascii: ",") {
        rest = rest.dropFirst().trimmingBlanks()
        continue
      }
      guard let tag = take(&rest) else { return nil }
      tags.append(tag)
      rest = rest.trimmingBlanks()
      guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { return nil }
    }
    return tags
  }

  /// True when an `If-Match` of `value` is met by `current`: it lists the tag, or is `*`. A value that is not understood is
  /// met by nothing.
  public static func match(_ value: String, isMetBy current: EntityTag) -> Bool {
    isAny(value) || list(value)?.contains(where: current.stronglyMatches) ?? false
  }

  /// True when an `If-None-Match` of `value` is met by `current`, so that the answer is 304: it lists the tag, or is
  /// `*`. A value that is not understood matches nothing.
  public static func noneMatch(_ value: String, isMetBy current: EntityTag) -> Bool {
    isAny(value) || list(value)?.contains(where: current.weaklyMatches) ?? false
  }

  private static func isAny(_ value: String) -> Bool {
    value.utf8[...].trimmingBlanks().elementsEqual("*".utf8)
  }

  private static func take(_ rest: inout Substring.UTF8View) -> EntityTag? {
    let isWeak = rest.starts(with: "W/".utf8)
    let quoted = isWeak ? rest.dropFirst(2) : rest
    guard quoted.first == UInt8(ascii: "\"") else { return nil }
    let opaque = quoted.dropFirst().prefix { $0 != UInt8(ascii: "\"") && $0 > 0x20 && $0 != 0x7F }
    guard opaque.endIndex < quoted.endIndex, quoted[opaque.endIndex] == UInt8(ascii: "\"") else { return nil }
    rest = quoted[opaque.endIndex...].dropFirst()
    return EntityTag(opaque: String(Substring(opaque)), isWeak: isWeak)
  }
}
