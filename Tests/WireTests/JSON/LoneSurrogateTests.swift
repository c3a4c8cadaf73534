import Bytes
import Testing
import Wire

@Suite struct LoneSurrogateTests {
  @Test(arguments: [
    #"\ud800"#, #"a\uDFFFb"#, #"\ud83d\u0041"#, #"\ud83d"#, #"\udc00\ud83d"#, #"\\\ud800"#,
    #"\ud83d\ud83d\ude00"#,
  ])
  func halfAPairIsFound(contents: String) {
    #expect(JSONString.hasLoneSurrogate(contents: Bytes(contents)))
  }

  @Test(arguments: [
    "", "plain", #"\ud83d\ude00"#, #"\\ud800"#, #"\u00e9\n\uE000"#, "😀", #"\\"#, #"\uD83D\uDE00\uD83D\uDE00"#,
  ])
  func textIsLetPass(contents: String) {
    #expect(!JSONString.hasLoneSurrogate(contents: Bytes(contents)))
  }
}
