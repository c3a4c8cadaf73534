import Glibc

// Foreign text stays bytes. Swift compares, hashes and searches a `String` by canonical equivalence, at the square of its
// length where marks combine: 240 KB take 9 s. What is all ASCII is spared that, so only such text, and only up to a
// limit that its place names, becomes a `String` that is compared.
extension Bytes: Hashable {
  /// True when both hold the same bytes, wherever these lie.
  public static func == (left: Bytes, right: Bytes) -> Bool {
    guard left.count == right.count else { return false }
    guard let one = left.start, let other = right.start, one != other else { return true }
    return memcmp(one, other, left.count) == 0
  }

  /// Feeds the bytes to `hasher`.
  public func hash(into hasher: inout Hasher) { hasher.combine(bytes: unsafeBytes) }
}

extension Bytes {
  /// True where no byte is beyond ASCII.
  public var isASCII: Bool { unsafeBytes.allSatisfy { $0 < 0x80 } }

  /// The text where it is ASCII and not longer than `limit` bytes, else nil: what may be compared, hashed, searched and
  /// brought into small letters.
  public func ascii(atMost limit: Int) -> String? { count <= limit && isASCII ? String(self) : nil }

  /// The beginning of the text, for people: at most `limit` bytes, and an ellipsis where that is not all. To make a `String`
  /// of 60 MB takes 0.1 s.
  public func excerpt(atMost limit: Int) -> String {
    guard count > limit else { return String(self) }
    var end = limit
    // No character is cut.
    while end > 0, self[end] & 0xC0 == 0x80 { end -= 1 }
    return String(self[0..<end]) + "…"
  }

  /// True for the bytes of `text`.
  public func isEqual(to text: StaticString) -> Bool {
    text.withUTF8Buffer { $0.count == count && $0.elementsEqual(unsafeBytes) }
  }

  /// True for the bytes of `text` but for the case of ASCII letters.
  public func isEqual(ignoringCaseTo text: StaticString) -> Bool {
    text.withUTF8Buffer {
      $0.count == count && $0.elementsEqual(unsafeBytes) { $0.asciiLowercased == $1.asciiLowercased }
    }
  }

  /// True where the first bytes are `prefix`.
  public func hasPrefix(_ prefix: Bytes) -> Bool {
    count >= prefix.count && self[0..<prefix.count] == prefix
  }

  /// True where the last bytes are `suffix`.
  public func hasSuffix(_ suffix: Bytes) -> Bool {
    count >= suffix.count && self[(count - suffix.count)...] == suffix
  }

  /// True where `part`, which is short, stands in it.
  public func contains(_ part: Bytes) -> Bool {
    guard !part.isEmpty else { return true }
    var start = 0
    while let index = firstIndex(of: part[0], from: start) {
      if self[index...].hasPrefix(part) { return true }
      start = index + 1
    }
    return false
  }

  /// Where the first `byte` stands, at `start` or behind it.
  public func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
    unsafeBytes[start...].firstIndex(of: byte)
  }

  /// Where the last `byte` stands.
  public func lastIndex(of byte: UInt8) -> Int? { unsafeBytes.lastIndex(of: byte) }

  /// What stands between the bytes that are `separator`, empty parts included.
  public func split(separator: UInt8) -> [Bytes] {
    var parts: [Bytes] = []
    var start = 0
    while let end = firstIndex(of: separator, from: start) {
      parts.append(self[start..<end])
      start = end + 1
    }
    parts.append(self[start...])
    return parts
  }

  /// What stands before the first `byte`, or all where there is none.
  public func prefix(upTo byte: UInt8) -> Bytes { self[0..<(firstIndex(of: byte) ?? count)] }

  /// Without the bytes at both ends for which `isDropped` holds.
  public func trimming(_ isDropped: (UInt8) -> Bool) -> Bytes {
    var start = 0, end = count
    while start < end, isDropped(self[start]) { start += 1 }
    while end > start, isDropped(self[end - 1]) { end -= 1 }
    return self[start..<end]
  }

  /// True where `holds` is true of every byte.
  public func allSatisfy(_ holds: (UInt8) -> Bool) -> Bool { unsafeBytes.allSatisfy(holds) }

  /// The bytes of all of `parts` in turn, with `separator` between each two.
  public static func join(_ parts: [Bytes], separator: StaticString = "") -> Bytes {
    if let only = parts.first, parts.count == 1 { return only }
    var whole = ByteBuffer()
    for (index, part) in parts.enumerated() {
      if index > 0 { separator.withUTF8Buffer { whole.append(contentsOf: $0) } }
      whole.append(part)
    }
    return whole.takeAll()
  }
}

extension StringProtocol {
  /// True for the same bytes in UTF-8, which are found out in linear time. Text that only looks the same is another.
  public func hasSameBytes(as other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }
}

extension Sequence where Element: StringProtocol {
  /// Sorted by their bytes in UTF-8, as `LC_ALL=C sort` does.
  public func sortedByBytes() -> [Element] { sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }
}

extension UInt8 {
  /// The small letter for a capital one of ASCII, and every other byte as it is.
  @inline(__always)
  var asciiLowercased: UInt8 { self >= 0x41 && self <= 0x5A ? self | 0x20 : self }
}
