import Bytes
import Testing
@testable import Wire

@Suite struct JSONSliceTests {
  @Test func membersAreSlicesOfTheInput() throws {
    let json = try JSONSlice.parse(
      #" {"a" : [1, 2.50,{"x":"y"}] ,"b":"q\"\u00e9" , "c":null, "d":true,"e":false} "#)
    #expect(json.kind == .object)
    #expect(json["a"]?.bytes == #"[1, 2.50,{"x":"y"}]"#)
    #expect(json["a"]?.elements.map(\.description) == ["1", "2.50", #"{"x":"y"}"#])
    #expect(json["b"]?.text == "q\"é")
    #expect(json["b"]?.stringContents == #"q\"\u00e9"#)
    #expect(json["c"]?.isNull == true)
    #expect(json["d"]?.bool == true)
    #expect(json["e"]?.bool == false)
    #expect(json["f"] == nil)
    #expect(json.members.map { $0.key.text } == ["a", "b", "c", "d", "e"])
  }

  @Test func emptyContainersHaveNothing() throws {
    for text in ["{}", "{ \n }", "[]", "[ \t]"] as [Bytes] {
      let json = try JSONSlice.parse(text)
      #expect(Array(json.elements).isEmpty)
      #expect(json.members.map(\.key).isEmpty)
    }
  }

  @Test func `numbers are read exactly, or not at all`() throws {
    #expect(try JSONSlice.parse("-0.5e-3").number == -0.0005)
    #expect(try JSONSlice.parse("3").number == 3)
    #expect(try JSONSlice.parse("1e999").number == nil)
    #expect(try JSONSlice.parse("\"3\"").number == nil)
  }

  @Test func theLastOfRepeatedMembersWins() throws {
    let json = try JSONSlice.parse(#"{"a":1,"b":2,"a":3}"#)
    #expect(json["a"]?.integer == 3)
    #expect(json.members.map(\.value.integer) == [1, 2, 3])
  }

  @Test func namesAreComparedDecoded() throws {
    let json = try JSONSlice.parse(#"{"\u0061\n":1,"\\n":2,"\ud83d\ude00":3,"":4,"é":5}"#)
    #expect(json["a\n"]?.integer == 1)
    #expect(json["\\n"]?.integer == 2)
    #expect(json["\n"] == nil)
    #expect(json["😀"]?.integer == 3)
    #expect(json[""]?.integer == 4)
    #expect(json["é"]?.integer == 5)
  }

  @Test func stringsAreComparedDecoded() throws {
    let json = try JSONSlice.parse(#"["name","n\u0061me","names","nam","",1,{"name":1}]"#)
    #expect(json.elements.map { $0.isString("name") } == [true, true, false, false, false, false, false])
    #expect(json.elements.map { $0.isString("") } == [false, false, false, false, true, false, false])
    let matches = json.elements.map { element in
      switch element {
      case "name": true
      default: false
      }
    }
    #expect(matches == [true, true, false, false, false, false, false])
  }

  @Test func numbersKeepTheirTextAndAreParsedOnDemand() throws {
    #expect(try JSONSlice.parse("-9223372036854775808").integer == Int64.min)
    #expect(try JSONSlice.parse("9223372036854775808").integer == nil)
    #expect(try JSONSlice.parse("1.0").integer == nil)
    #expect(try JSONSlice.parse("123456789012345678901234567890").bytes == "123456789012345678901234567890")
    #expect(try JSONSlice.parse(#""1""#).integer == nil)
  }

  @Test func loneSurrogatesPassAndDecodeToTheReplacementCharacter() throws {
    let json = try JSONSlice.parse(#"["\ud800","\udc00x","\ud800\n","\ud83d\ud83d\ude00"]"#)
    #expect(json.elements.map(\.text) == ["\u{FFFD}", "\u{FFFD}x", "\u{FFFD}\n", "\u{FFFD}😀"])
  }

  @Test func lineBreaksBetweenTokensBecomeSpaces() throws {
    let json = try JSONSlice.parse("{\r\n \"a\": \"x\\ny\",\n\"b\": 1\n}\n")
    #expect(json.asciiLine == "{   \"a\": \"x\\ny\", \"b\": 1 }")
    #expect(try JSONSlice.parse("[1, 2]").asciiLine == "[1, 2]")
  }

  @Test func textThatIsNotUTF8IsRepairedOnRequest() throws {
    let bytes = Bytes(Array(#"{"a":"x"#.utf8) + [0xFF] + Array(#"y"}"#.utf8))
    #expect(throws: JSONError.self) { try JSONSlice.parse(bytes) }
    #expect(try JSONSlice.parseRepairingText(bytes)["a"]?.text == "x\u{FFFD}y")
  }
}
