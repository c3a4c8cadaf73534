import Memory
import Testing
import Wire

@Suite struct SingleLineTests {
  @Test func whatUnicodeTakesForALineBreakIsEscapedInStrings() {
    #expect(JSONString.singleLine(contents: "a\u{85}b\u{2028}c\u{2029}") == "a\\u0085b\\u2028c\\u2029")
  }

  @Test(arguments: ["", "plain", "é“quotes”—…", "\u{80}\u{84}\u{86}\u{2027}\u{202A}", "日本語", "\u{1F600}"])
  func everythingElseStaysAsItIs(text: String) {
    #expect(JSONString.singleLine(contents: Bytes(text)) == Bytes(text))
  }

  @Test func longTextIsSearchedToItsEnd() {
    let text = String(repeating: "é", count: 1000)
    #expect(JSONString.singleLine(contents: Bytes(text + "\u{2028}")) == Bytes(text + "\\u2028"))
    #expect(JSONString.singleLine(contents: Bytes("\u{2028}" + text)) == Bytes("\\u2028" + text))
  }

  @Test func breaksBetweenTokensBecomeSpaces() throws {
    let json = try JSONSlice.parse("{\r\n\"a\u{2029}\":\n1}")
    #expect(json.singleLine == "{  \"a\\u2029\": 1}")
  }
}
