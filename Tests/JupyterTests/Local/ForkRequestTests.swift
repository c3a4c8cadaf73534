import Loop
import Bytes
import Testing
import Wire

@testable import Jupyter

@Suite struct ForkRequestTests {
  @Test func `a request is one line, whatever its values hold`() throws {
    let request = ForkRequest(
      arguments: ["-f", "/run/kernel 7.json"], directory: "/home/\"user\"", environment: ["A": "one\ntwo"],
      log: "/run/log")
    let line = request.line(7)
    #expect(line[line.count - 1] == UInt8(ascii: "\n"))
    let text = String(line).dropLast()
    #expect(!text.contains("\n"))
    let json = try JSONSlice.parse(Bytes(String(text)))
    #expect(json["id"]?.integer == 7)
    #expect(json["argv"]?.elements.map(\.text) == ["-f", "/run/kernel 7.json"])
    #expect(json["cwd"]?.text == "/home/\"user\"")
    #expect(json["env"]?["A"]?.text == "one\ntwo")
    #expect(json["log"]?.text == "/run/log")
  }

  @Test func `replies are read`() {
    #expect(ForkReply(#"{"ready": true}"#) == .ready)
    #expect(ForkReply(#"{"id": 7, "pid": 1234}"#) == .forked(7, 1234))
    #expect(ForkReply(#"{"id": 7, "error": "no memory"}"#) == .failed(7, "no memory"))
    #expect(ForkReply(#"{"id": 7, "exit": {"status": 1}}"#) == .ended(7, .code(1)))
    #expect(ForkReply(#"{"id": 7, "exit": {"signal": 9}}"#) == .ended(7, .signal(9)))
  }

  @Test(arguments: [
    "", "hello", "[]", "{}", #"{"ready": 1}"#, #"{"id": 7}"#, #"{"id": 7, "pid": -1}"#,
    #"{"id": 7, "pid": 0}"#,
    #"{"id": 7, "pid": 4294967297}"#, #"{"pid": 7}"#, #"{"id": 7, "exit": {}}"#,
    #"{"id": 7, "exit": {"status": 1e99}}"#,
  ])
  func `a line that is not a reply is refused`(line: String) {
    #expect(ForkReply(Bytes(line)) == nil)
  }
}
