import Bytes
import Testing
@testable import Wire

@Suite struct ASCIILineTests {
  @Test(arguments: [
    ("a\u{85}b\u{2028}c\u{2029}", #"a\u0085b\u2028c\u2029"#), ("é", #"\u00e9"#),
    ("\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFF}", #"\u0080\u07ff\u0800\ud7ff\ue000\uffff"#),
    ("\u{10000}\u{1F600}\u{10FFFF}", #"\ud800\udc00\ud83d\ude00\udbff\udfff"#),
    (
      "日本語 and more, much more than a word: 日", #"\u65e5\u672c\u8a9e and more, much more than a word: \u65e5"#
    ),
    ("plain \\u00e9 \\n", #"plain \u00e9 \n"#), ("", ""),
  ])
  func charactersBeyondASCIIAreEscaped(text: String, escaped: String) {
    #expect(String(JSONString.asciiLine(contents: Bytes(text))) == escaped)
  }

  @Test func everyCharacterIsPreserved() throws {
    let scalars = (1...0x10FFFF).compactMap(Unicode.Scalar.init).filter {
      $0.value % 61 == 0 || $0.value < 0x900
    }
    var text = ""
    text.unicodeScalars.append(contentsOf: scalars)
    let line = try JSONSlice.parse(JSONString.quote(text)).asciiLine
    #expect((0..<line.count).allSatisfy { line[$0] < 0x80 && line[$0] >= 0x20 })
    #expect(try JSONSlice.parse(line).text == Bytes(text))
  }

  @Test func longTextIsEscapedToItsEnd() {
    for character in ["é", "\u{6C49}", "\u{1F600}", "xx\u{6C49}y"] {
      let escaped = String(JSONString.asciiLine(contents: Bytes(character)))
      for count in [7, 8, 9, 1000] {
        let text = String(repeating: character, count: count)
        let line = JSONString.asciiLine(contents: Bytes(text + "z"))
        #expect(String(line) == String(repeating: escaped, count: count) + "z")
      }
    }
  }

  @Test func asciiIsNotCopied() {
    let text = Bytes(String(repeating: "plain", count: 1000))
    #expect(JSONString.asciiLine(contents: text) == text)
  }

  @Test func aTruncatedCharacterIsReplaced() {
    let bytes = Bytes(Array("a\u{6C49}".utf8).dropLast())
    #expect(String(JSONString.asciiLine(contents: bytes)).hasPrefix(#"a\ufffd"#))
  }

  @Test func breaksBetweenTokensBecomeSpaces() throws {
    let json = try JSONSlice.parse("{\r\n\"a\u{2029}\":\n\"é\"}")
    #expect(json.asciiLine == #"{  "a\u2029": "\u00e9"}"#)
  }
}
