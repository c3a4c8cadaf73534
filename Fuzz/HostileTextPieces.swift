import Bytes

/// Text of any length from the pieces in `recipe`: pairs of bytes, one for the piece and one for how often it is repeated.
/// The first byte of `recipe` chooses what fills the rest of the text: all pieces again and again, or only the last one,
/// which makes one long run. The text may end inside a character.
struct HostileText {
  private let start: [UInt8]
  private let rest: [UInt8]

  init(_ recipe: Bytes) {
    var unit: [UInt8] = []
    var last: [UInt8] = [0x61]
    var index = 1
    while index + 1 < recipe.count, unit.count < 8192 {
      last = Self.pieces[Int(recipe[index]) % Self.pieces.count]
      for _ in 0...Int(recipe[index + 1]) { unit += last }
      index += 2
    }
    start = unit
    rest = unit.isEmpty || recipe[0] & 1 == 0 ? last : unit
  }

  func bytes(_ length: Int) -> Bytes {
    var bytes = start
    bytes.reserveCapacity(length + rest.count)
    while bytes.count < length { bytes += rest }
    return Bytes(bytes[..<length])
  }

  private static let pieces: [[UInt8]] =
    [
      // Marks that normalization reorders, letters that it composes or decomposes, long grapheme clusters.
      "\u{301}\u{316}", "\u{316}\u{301}", "e\u{301}", "\u{1100}\u{1161}\u{11A8}", "\u{AC01}",
      "\u{1D157}\u{1D165}",
      "\u{915}\u{94D}", "\u{94D}\u{200D}", "\u{FB2C}", "👨‍👩‍👧‍👦", "🇩🇪", "\u{200D}", "\u{FE0F}", "\u{E0061}", "ﬃ",
      "İ", "ß", "\u{85}\u{2028}", "\u{FEFF}",
      "a", "A", "0", "9", " ", "\t", "\n", "\r\n", "\r", "\0", "\u{7F}", "\u{1B}[", "\u{1B}]",
      // Text with a meaning in HTTP, JSON or a path.
      "\"", "\\", ",", ";", ":", "=", "&", "?", "/", "../", ".", "-", "*", "%", "%cc%81%cc%96", "%00", "%zz",
      "+", "a, ",
      "\"a\",", "W/\"a\", ", "A: b\r\n", "1;a=b\r\n", "1\r\na\r\n", "bytes=0-", "Sun, 06 ", "text/", "+json",
      "[", "{", "]",
      "}", "[]", "{\"a\":", "[[", "],", "\"a\":1,", "\"\\u0061\":1,", "1,", "-1e9", "true", "\\ud83d",
      "\\ude00",
      "\\u0301\\u0316", "\\u0000", "\\u001b[", "\\n", "PATH=", "_a", ".local", "application/", "xn--",
    ].map { (text: String) in Array(text.utf8) } + [
      // Invalid UTF-8.
      [0xFF], [0xC3], [0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82], [0xC0, 0x80],
    ]
}
