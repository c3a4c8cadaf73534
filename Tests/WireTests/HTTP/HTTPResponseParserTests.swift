import Bytes
import Testing

@testable import Wire

@Suite struct HTTPResponseParserTests {
  @Test func aBodyIsFramedByLengthOrChunks() {
    expectResponse(
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
      ["200 OK http11 length(2)", "  Content-Length: 2", "body hi", "end"])
    expectResponse(
      "HTTP/1.1 200 Fine by me\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n",
      ["200 Fine by me http11 chunked", "  Transfer-Encoding: chunked", "body hi", "end", "  A: b"])
  }

  @Test func aBodyWithoutLengthLastsUntilTheConnectionEnds() {
    expectResponse(
      "HTTP/1.0 200 OK\r\n\r\nall that comes", ["200 OK http10 untilClose", "body all that comes", "end"],
      trailings: [""])
    expectResponse("HTTP/1.1 200 OK\r\n\r\n", ["200 OK http11 untilClose", "end"], trailings: [""])
  }

  @Test(arguments: [204, 304])
  func someStatusesHaveNoBody(_ status: Int) {
    expectResponse(
      "HTTP/1.1 \(status) X\r\nContent-Length: 5\r\n\r\n",
      ["\(status) X http11 none", "  Content-Length: 5", "end"])
  }

  @Test func theResponseToHeadHasNoBody() {
    expectResponse(
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", to: "HEAD",
      ["200 OK http11 none", "  Content-Length: 5", "end"])
    expectResponse(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", to: "HEAD",
      ["200 OK http11 none", "  Transfer-Encoding: chunked", "end"])
  }

  @Test func interimResponsesAreSkipped() {
    expectResponse(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
      ["201 Created http11 none", "  Content-Length: 0", "end"])
  }

  @Test func bytesAfterAnUpgradeStayInTheBuffer() throws {
    expectResponse(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
      ["101 Switching Protocols http11 none", "  Upgrade: websocket", "end"])
    var parser = HTTPResponseParser()
    var buffer = ByteBuffer("HTTP/1.1 101 S\r\n\r\n\u{1}abc".utf8)
    _ = try parser.next(&buffer)
    _ = try parser.next(&buffer)
    let after = try parser.next(&buffer)
    #expect(after == nil)
    let rest = buffer.takeAll()
    #expect(rest == "\u{1}abc")
  }

  @Test func aReasonMayBeEmptyOrMissing() {
    expectResponse("HTTP/1.1 204 \r\n\r\n", ["204  http11 none", "end"])
    expectResponse("HTTP/1.1 204\r\n\r\n", ["204  http11 none", "end"])
  }

  @Test(arguments: [
    "HTTP/1.1  200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1 099 OK",
    "HTTP/1.1", "HTTP/1.1 200\tOK",
    "HTTX/1.1 200 OK", "http/1.1 200 OK", "HTTP/1.1 200 O\0K", " HTTP/1.1 200 OK", "SSH-2.0-OpenSSH",
    "HTTP/1.1 -20 OK",
  ])
  func aStatusLineHasOneFormOnly(_ line: String) {
    expectRefusedResponse("\(line)\r\n\r\n", .malformedStartLine)
  }

  @Test func theLengthRulesOfRequestsApply() {
    expectRefusedResponse(
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", .ambiguousLength)
    expectRefusedResponse(
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", .ambiguousLength)
    expectRefusedResponse(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .unknownTransferCoding)
    expectRefusedResponse("HTTP/2.0 200 OK\r\n\r\n", .unknownVersion)
  }

  @Test(arguments: [
    "H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
    "HTTP/1.1 100 Continue\r\n\r\nH",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
  ])
  func aMessageCutShortIsTruncated(_ text: String) {
    expectRefusedResponse(text, .truncated)
  }

  @Test func aConnectionMayEndBetweenResponses() {
    #expect(readResponses([], .whole) == Reading())
    let two = String(repeating: "HTTP/1.1 204 \r\n\r\n", count: 2)
    #expect(
      readResponses(Array(two.utf8), .whole).lines == ["204  http11 none", "end", "204  http11 none", "end"])
  }
}
