import Bytes
import Testing

@testable import Wire

@Suite struct JSONFindingsTests {
  let long = String(repeating: "0123456789abcdef", count: JSONFindings.longString / 16)

  /// Every value in `json`, outer values first, with its key.
  func values(in json: JSONSlice) -> [JSONSlice] {
    let parts = json.members.flatMap { [$0.key, $0.value] } + Array(json.elements)
    return [json] + parts.flatMap(values)
  }

  @Test func `Findings do not change the parsed values of a long text`() throws {
    let texts = [
      #"{"data":{"image/png":"\#(long)","text/plain":"x"},"metadata":{},"transient":{}}"#,
      #" [ "\#(long)" , ["\#(long)\\\"", {"\#(long)": ["\#(long)é", 1, "\#(long)"]}], "\#(long)\\" ] "#,
      #"{"\#(long)":"\#(long)","a":"\#(long)\n"}"#,
      #""\#(long)\"""#,
      #"["","\#(long)\u2028","\#(long)\\\\","z"]"#,
    ]
    for text in texts {
      let json = try JSONSlice.parse(Bytes(text))
      #expect(json.findings.longest != nil)
      let unknown = JSONSlice(sound: json.bytes, JSONFindings(isASCIILine: false))
      let (found, expected) = (values(in: json), values(in: unknown))
      #expect(found == expected)
      #expect(found.map(\.asciiLine) == expected.map(\.asciiLine))
      // Each part is as valid as on its own.
      for part in found { #expect(try JSONSlice.parse(part.bytes) == part) }
    }
  }

  @Test func `The longest string is found in the whole and in each part`() throws {
    let json = try JSONSlice.parse(Bytes(#" {"a":"\#(long)","b":["\#(long)!"],"c":"\#(long)"}"#))
    let longest = try #require(json.findings.longest)
    #expect(json.bytes[longest] == Bytes("\"\(long)!\""))
    #expect(json["a"]?.findings.longest == nil)
    let part = try #require(json["b"])
    let within = try #require(part.findings.longest)
    #expect(part.bytes[within] == Bytes("\"\(long)!\""))
    #expect(json.findings.endOfString(at: longest.lowerBound) == longest.upperBound)
    #expect(json.findings.endOfString(at: longest.lowerBound + 1) == nil)
  }

  @Test func `A string that ends outside of a range is not recorded for it`() {
    let findings = JSONFindings(longest: 10..<20)
    #expect(findings.within(10..<20).longest == 0..<10)
    #expect(findings.within(4..<25).longest == 6..<16)
    for range in [11..<20, 10..<19, 0..<15, 20..<30] { #expect(findings.within(range).longest == nil) }
  }

  @Test(arguments: [
    ("[1, \"a\"]", true), ("[1,\t\"\\n\\u2028\"]", true), ("{\"a\":\n1}", false), ("[\r]", false),
    ("[\"é\"]", false), ("[\"\u{2028}\"]", false), ("[\"\u{85}\"]", false),
  ])
  func `What is not one line of ASCII is noticed`(text: String, isASCIILine: Bool) throws {
    #expect(try JSONSlice.parse(Bytes(text)).findings.isASCIILine == isASCIILine)
  }
}
