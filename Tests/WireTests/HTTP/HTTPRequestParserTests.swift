import Bytes
import Testing

@testable import Wire

@Suite struct HTTPRequestParserTests {
  @Test func aRequestWithoutBodyIsAHeadAndAnEnd() {
    expectRequest(
      "GET /files/a%20b?path=. HTTP/1.1\r\nHost: localhost:49999\r\nAccept: */*\r\n\r\n",
      ["GET /files/a%20b?path=. http11 none", "  Host: localhost:49999", "  Accept: */*", "end"])
  }

  @Test func aBodyOfKnownLengthEndsThere() {
    expectRequest(
      "POST /execute HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
      ["POST /execute http11 length(11)", "  Host: a", "  Content-Length: 11", "body hello world", "end"])
    expectRequest(
      "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
      ["POST / http11 none", "  host: a", "  content-length: 0", "end"])
  }

  @Test func aChunkedBodyIsJoinedAndItsTrailersAreKept() {
    expectRequest(
      "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
        + "5\r\nhello\r\n0000006;a=\"b;c\" ; d\r\n world\r\n0\r\nDigest: abc \r\nX:\r\n\r\n",
      [
        "PUT /x http11 chunked", "  Host: a", "  Transfer-Encoding: Chunked", "body hello world", "end",
        "  Digest: abc", "  X: ",
      ])
    expectRequest(
      "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      ["PUT /x http11 chunked", "  Host: a", "  Transfer-Encoding: chunked", "end"])
  }

  @Test func pipelinedRequestsComeOneAfterTheOther() {
    let text =
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab\r\n"
      + "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"
      + "GET /3 HTTP/1.0\r\n\r\n"
    for feeding in Feeding.allCases {
      #expect(
        readRequests(Array(text.utf8), feeding).lines == [
          "POST /1 http11 length(2)", "  Host: a", "  Content-Length: 2", "body ab", "end",
          "POST /2 http11 chunked", "  Host: a", "  Transfer-Encoding: chunked", "body c", "end",
          "GET /3 http10 none", "end",
        ])
    }
  }

  @Test func aBodyIsASliceOfTheInput() throws {
    var buffer = ByteBuffer("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody".utf8)
    let place = buffer.readable.withUnsafeBytes { $0.baseAddress.map { UInt(bitPattern: $0) } ?? 0 }
    let length = UInt(buffer.count)
    var parser = HTTPRequestParser()
    _ = try parser.next(&buffer)
    guard case .body(let body) = try parser.next(&buffer) else {
      throw HTTPProtocolError(.truncated, "no body")
    }
    #expect(body.withUnsafeBytes { $0.baseAddress.map { UInt(bitPattern: $0) } } == place + length - 4)
  }

  @Test func aFewEmptyLinesBeforeARequestAreSkipped() {
    expectRequest("\r\n\r\nGET / HTTP/1.0\r\n\r\n", ["GET / http10 none", "end"])
    expectRefusedRequest("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n", .malformedStartLine)
    expectRefusedRequest("\nGET / HTTP/1.0\r\n\r\n", .malformedLineEnding)
    expectRefusedRequest("\r\rGET / HTTP/1.0\r\n\r\n", .malformedStartLine)
  }

  @Test(arguments: [
    "GET  / HTTP/1.0", " GET / HTTP/1.0", "GET /  HTTP/1.0", "GET / HTTP/1.0 ", "GET /", "GET",
    "GET / HTTP/1",
    "GET / http/1.1", "GET / HTTP/1.10", "GET / HTTP/11", "GET /a b HTTP/1.0", "GET\t/ HTTP/1.0",
    "GET /\u{7F} HTTP/1.0", "GET /#top HTTP/1.0", "GET /\0 HTTP/1.0", "G\0ET / HTTP/1.0", "{} / HTTP/1.0",
    "GET / HTTP/1.0\r", "GET /\r HTTP/1.0", "\u{16}\u{3}\u{1}", "GET\u{A0}/ HTTP/1.0",
  ])
  func aRequestLineHasOneFormOnly(_ line: String) {
    expectRefusedRequest(line + "\r\n\r\n", .malformedStartLine)
  }

  @Test func anInvalidRequestIsRefusedAtOnce() {
    for beginning in ["\u{16}", "GET / HTTP/1.1 \r\n", "{"] {
      #expect(readRequests(Array(beginning.utf8), .whole).failure == .malformedStartLine)
    }
    #expect(readRequests(Array("GET / HTTP/1.1\r\nHost: a\n".utf8), .whole).failure == .malformedLineEnding)
  }

  @Test func otherMajorVersionsAreRefusedAndLaterMinorOnesAccepted() {
    expectRefusedRequest("GET / HTTP/2.0\r\n\r\n", .unknownVersion)
    expectRefusedRequest("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unknownVersion)
    expectRefusedRequest("GET / HTTP/0.9\r\n\r\n", .unknownVersion)
    expectRequest("GET / HTTP/1.2\r\nHost: a\r\n\r\n", ["GET / http11 none", "  Host: a", "end"])
  }

  @Test func unencodedPathsAreAcceptedIfTheyAreUTF8() {
    expectRequest("GET /grün HTTP/1.0\r\n\r\n", ["GET /grün http10 none", "end"])
    let latin = Array("GET /gr".utf8) + [0xFC] + Array("n HTTP/1.0\r\n\r\n".utf8)
    for feeding in Feeding.allCases {
      #expect(readRequests(latin, feeding).failure == .malformedTarget)
    }
  }

  @Test(arguments: [
    "Host : a", " Host: a", "\tHost: a", ": a", "Host", "Ho st: a", "Ho\0st: a", "Höst: a", "Host: a\0b",
    "Host: a\u{7F}",
    "X: a\rb", "X: a\r", "X: \u{B}", "X: a\r\n folded", "X: a\r\n\tfolded", "\"X\": a", "X\r: a", "(X): a",
  ])
  func aFieldLineHasOneFormOnly(_ line: String) {
    expectRefusedRequest("GET / HTTP/1.0\r\n\(line)\r\n\r\n", .malformedField)
    expectRefusedRequest("GET / HTTP/1.0\r\nA: b\r\n\(line)\r\nC: d\r\n\r\n", .malformedField)
  }

  @Test func linesEndInCRLFAlone() {
    expectRefusedRequest("GET / HTTP/1.0\n\n", .malformedLineEnding)
    expectRefusedRequest("GET / HTTP/1.0\r\nA: b\n\r\n", .malformedLineEnding)
    expectRefusedRequest("GET / HTTP/1.0\r\nA: b\r\n\n", .malformedLineEnding)
  }

  @Test func valuesAreTrimmed() {
    expectRequest(
      "GET / HTTP/1.0\r\nA: \t b \t c\t \r\nB:c\r\nC:\r\nD:  \r\nE: grün\r\n\r\n",
      ["GET / http10 none", "  A: b \t c", "  B: c", "  C: ", "  D: ", "  E: grün", "end"])
  }

  @Test(arguments: [
    "", "Host: a\r\nHost: a\r\n", "Host: a\r\nhOST: b\r\n", "Host: a b\r\n", "Host: a/b\r\n",
    "Host: user@a\r\n",
    "Host: a:b\r\n", "Host: a:70000\r\n", "Host: [::1\r\n", "Host: a, b\r\n", "Host: ::1\r\n",
    "Host: a:80:80\r\n",
    "Host: [::1]x\r\n", "Host: :80\r\n",
  ])
  func aHostIsNamedOnce(_ fields: String) {
    expectRefusedRequest("GET / HTTP/1.1\r\n\(fields)\r\n", .malformedHost)
  }

  @Test func anEmptyHostIsLegal() {
    expectRequest("GET / HTTP/1.1\r\nHost:\r\n\r\n", ["GET / http11 none", "  Host: ", "end"])
  }
}
