import Bytes
import Testing

@testable import Wire

@Suite struct JSONStringTests {
  @Test func quotingEscapesOnlyWhatIsRequired() throws {
    #expect(JSONString.quote("") == "\"\"")
    #expect(JSONString.quote("a\"b\\c/é😀") == "\"a\\\"b\\\\c/é😀\"")
    #expect(JSONString.quote("\u{08}\t\n\u{0C}\r") == #""\b\t\n\f\r""#)
    #expect(JSONString.quote("\u{00}\u{1B}\u{1F}\u{7F}") == "\"\\u0000\\u001b\\u001f\u{7F}\"")
  }

  @Test func quotedTextDecodesToItself() throws {
    for length in [0, 1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 100, 200] {
      for special in ["\"", "\\", "\n", "\u{01}", "é", "😀", "\u{7F}"] {
        let text = String(repeating: "a", count: length) + special + String(repeating: "z", count: length)
        #expect(try JSONSlice.parse(JSONString.quote(text)).text == Bytes(text))
      }
    }
  }

  @Test func truncatedContentsAreHandled() {
    let contents: Bytes = #"aé\u001b[31m\\\ud83d\ude00\"'\u001b]0;t\u0007"#
    for start in 0..<contents.count {
      for end in start...contents.count {
        let part = contents[start..<end]
        _ = JSONString.decode(contents: part)
        _ = JSONString.dropEnclosingQuotes(contents: part)
        #expect(JSONString.withoutTerminalControls(contents: part).count <= part.count)
      }
    }
  }

  @Test func anyByteIsFoundAtAnyIndex() {
    for position in 0..<150 {
      for byte in UInt8.min...UInt8.max {
        var bytes = [UInt8](repeating: UInt8(ascii: "~"), count: 150)
        bytes[position] = byte
        let special = byte == 0x22 || byte == 0x5C
        let span = bytes.span
        expect(ByteSearch<QuoteOrBackslash>.first(in: span, from: 0), position, when: special)
        expect(
          ByteSearch<NotPlainText>.first(in: span, from: 0), position,
          when: special || byte < 32 || byte > 127)
        expect(ByteSearch<NeedsEscape>.first(in: span, from: 0), position, when: special || byte < 32)
        expect(
          ByteSearch<NotLineOfASCII>.first(in: span, from: 0), position,
          when: byte == 0x0A || byte == 0x0D || byte > 127)
      }
    }
  }

  private func expect(_ found: Int, _ position: Int, when special: Bool) {
    if found != (special ? position : 150) { Issue.record("\(found) for \(position)") }
  }

  @Test func onePairOfEnclosingQuotesIsDropped() {
    #expect(JSONString.dropEnclosingQuotes(contents: "'a'") == "a")
    #expect(JSONString.dropEnclosingQuotes(contents: "''a''") == "'a'")
    #expect(JSONString.dropEnclosingQuotes(contents: "''") == "")
    #expect(JSONString.dropEnclosingQuotes(contents: #"\"it's\""#) == "it's")
    #expect(JSONString.dropEnclosingQuotes(contents: #"\"\""#) == "")
    for text in ["", "'", "'a", "a'", #"\""#, #"\"a"#, #"a\""#, #"\"a'"#, "[1, 2]"] as [Bytes] {
      #expect(JSONString.dropEnclosingQuotes(contents: text) == text)
    }
  }

  @Test func terminalControlsAreRemovedAndTextStays() {
    let cases: [(Bytes, Bytes)] = [
      ("plain", "plain"),
      (#"\u001b[0;31mError\u001b[0m"#, "Error"),
      (#"a\u001B[38;5;241mb\u001b[Kc"#, "abc"),
      (#"\u001b]8;;https://a.example\u0007link\u001b]8;;\u001b\\!"#, "link!"),
      (#"\u001b]0;no end"#, "0;no end"),
      (#"\u001b]0;\nnext"#, #"0;\nnext"#),
      (#"x\u001b"#, "x"),
      (#"x\u001b["#, "x"),
      (#"x\u001b[31"#, "x"),
      (#"x\u001b[31é"#, "xé"),
      (#"\u001b(Bx\u001b7y\u001b=z"#, "xyz"),
      (#"\\u001b[0m\n\"q\""#, #"\\u001b[0m\n\"q\""#),
      (#"\u001b[1\"pz"#, "z"),
      (#"\u001bP\"1\u001b\\z"#, "z"),
    ]
    for (contents, expected) in cases {
      #expect(JSONString.withoutTerminalControls(contents: contents) == expected, "\(contents)")
    }
  }

  @Test func linesAreJoinedByAnEscapedNewline() {
    #expect(JSONString.join(lines: []) == "")
    #expect(JSONString.join(lines: ["a"]) == "a")
    #expect(JSONString.join(lines: ["a", "", "b"]) == #"a\n\nb"#)
  }
}
