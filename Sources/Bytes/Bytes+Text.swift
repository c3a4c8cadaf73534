import Glibc

// Text from outside stays bytes. Swift compares, hashes and searches a `String` by canonical equivalence, which takes
// quadratic time for combining marks: 9 s for 240 KB. Only text that is ASCII, up to a limit that the caller names, becomes
// a `String` that is compared.
extension Bytes: Hashable {
  /// True if both have the same bytes.
  public static func == (left: Bytes, right: Bytes) -> Bool {
    guard left.count == right.count else { return false }
    guard let one = left.start, let other = right.start, one != other else { return true }
    return memcmp(one, other, left.count) == 0
  }

  /// Feeds the bytes to `hasher`.
  public func hash(into hasher: inout Hasher) { hasher.combine(bytes: unsafeBytes) }
}

extension Bytes {
  /// True if all bytes are ASCII.
  public var isASCII: Bool { unsafeBytes.allSatisfy { $0 < 0x80 } }

  /// The text if it is ASCII and has at most `limit` bytes, else nil. It may be compared, hashed and searched as a `String`.
  public func ascii(atMost limit: Int) -> String? { count <= limit && isASCII ? String(self) : nil }

  /// The beginning of the text for messages to people: at most `limit` bytes, then an ellipsis if there are more. Making a
  /// `String` of 60 MB would take 0.1 s.
  public func excerpt(atMost limit: Int) -> String {
    guard count > limit else { return String(self) }
    var end = limit
    // Does not cut a character in UTF-8.
    while end > 0, self[end] & 0xC0 == 0x80 { end -= 1 }
    return String(self[0..<end]) + "…"
  }

  /// True if the bytes are those of `text`.
  public func isEqual(to text: StaticString) -> Bool {
    text.withUTF8Buffer { $0.count == count && $0.elementsEqual(unsafeBytes) }
  }

  /// True if the bytes are those of `text`, ignoring the case of ASCII letters.
  public func isEqual(ignoringCaseTo text: StaticString) -> Bool {
    text.withUTF8Buffer {
      $0.count == count && $0.elementsEqual(unsafeBytes) { $0.asciiLowercased == $1.asciiLowercased }
    }
  }

  /// True if the bytes begin with `prefix`.
  public func hasPrefix(_ prefix: Bytes) -> Bool {
    count >= prefix.count && self[0..<prefix.count] == prefix
  }

  /// True if the bytes end with `suffix`.
  public func hasSuffix(_ suffix: Bytes) -> Bool {
    count >= suffix.count && self[(count - suffix.count)...] == suffix
  }

  /// True if the bytes contain `part`, which should be short: the search is naive.
  public func contains(_ part: Bytes) -> Bool {
    guard !part.isEmpty else { return true }
    var start = 0
    while let index = firstIndex(of: part[0], from: start) {
      if self[index...].hasPrefix(part) { return true }
      start = index + 1
    }
    return false
  }

  /// The index of the first `byte` from `start` on.
  public func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
    unsafeBytes[start...].firstIndex(of: byte)
  }

  /// The index of the last `byte`.
  public func lastIndex(of byte: UInt8) -> Int? { unsafeBytes.lastIndex(of: byte) }

  /// The parts between the separators, with empty ones.
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

  /// The part before the first `byte`, or all bytes if there is none.
  public func prefix(upTo byte: UInt8) -> Bytes { self[0..<(firstIndex(of: byte) ?? count)] }

  /// The slice without the bytes at both ends for which `isDropped` is true.
  public func trimming(_ isDropped: (UInt8) -> Bool) -> Bytes {
    var start = 0, end = count
    while start < end, isDropped(self[start]) { start += 1 }
    while end > start, isDropped(self[end - 1]) { end -= 1 }
    return self[start..<end]
  }

  /// True if `holds` is true for every byte.
  public func allSatisfy(_ holds: (UInt8) -> Bool) -> Bool { unsafeBytes.allSatisfy(holds) }

  /// The bytes of all parts, with `separator` between two.
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
  /// True if both have the same bytes in UTF-8. Takes linear time, and does not know canonical equivalence.
  public func hasSameBytes(as other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }
}

extension Sequence where Element: StringProtocol {
  /// Sorted by bytes in UTF-8, as by `LC_ALL=C sort`.
  public func sortedByBytes() -> [Element] { sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }
}

extension UInt8 {
  /// The lower-case letter for an upper-case letter of ASCII; other bytes unchanged.
  @inline(__always)
  var asciiLowercased: UInt8 { self >= 0x41 && self <= 0x5A ? self | 0x20 : self }
}
