import Testing

@testable import Wire

@Suite struct HTTPSmugglingTests {
  private func expectRefused(
    _ fields: String, _ kind: HTTPProtocolError.Kind, version: String = "1.1",
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    expectRefusedRequest(
      "POST / HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n\r\n0\r\n\r\n", kind, sourceLocation: sourceLocation)
  }

  @Test func twoLengthsAreRefused() {
    expectRefused("Content-Length: 5\r\nTransfer-Encoding: chunked", .ambiguousLength)
    expectRefused("Transfer-Encoding: chunked\r\nContent-Length: 5", .ambiguousLength)
    expectRefused("Content-Length: 5\r\nContent-Length: 6", .ambiguousLength)
    expectRefused("Content-Length: 5\r\ncontent-length: 5", .ambiguousLength)
    expectRefused("Content-Length: 5, 5", .ambiguousLength)
    expectRefused("Content-Length: 0\r\nTransfer-Encoding: identity", .ambiguousLength)
  }

  @Test(arguments: ["", "+5", "-5", "5 5", "0x5", "5.", "5a", "five", "5;", "\"5\"", "٣", "1_000", "5\u{B2}"])
  func aContentLengthIsDigitsOnly(_ value: String) {
    expectRefused("Content-Length: \(value)", .ambiguousLength)
  }

  @Test func aContentLengthThatOverflowsIsRefused() {
    expectRefused("Content-Length: 9223372036854775808", .ambiguousLength)
    expectRefused("Content-Length: 99999999999999999999999999", .ambiguousLength)
    #expect(
      readRequests(Array("PUT / HTTP/1.0\r\nContent-Length: 9223372036854775807\r\n\r\n".utf8), .whole).lines
        .first
        == "PUT / http10 length(9223372036854775807)")
  }

  @Test(arguments: [
    "chunked, chunked", "chunked, gzip", "identity", "", "chunked;q=1", "xchunked", "\"chunked\"",
    ", chunked", "chunked,",
    "chunked chunked", "gzip, chunked, chunked", "gzip,,chunked", "chun\u{212A}ed",
  ])
  func chunkedStandsOnceAndLast(_ value: String) {
    expectRefused("Transfer-Encoding: \(value)", .ambiguousLength)
  }

  @Test func otherCodingsAreNotImplemented() {
    expectRefused("Transfer-Encoding: gzip, chunked", .unknownTransferCoding)
    expectRefused("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", .ambiguousLength)
    expectRefused("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", .ambiguousLength)
    expectRefused("Transfer-Encoding: chunked", .ambiguousLength, version: "1.0")
  }

  @Test(arguments: [
    "\r\nabc", ";a\r\n", "g\r\n", "0x3\r\nabc\r\n", "+3\r\nabc\r\n", "-1\r\n", " 3\r\nabc\r\n",
    "3 \r\nabc\r\n",
    "3\nabc\r\n", "3\r\nabcd\r\n", "3\r\nabc\n", "3\r\nabc\r\r", "3\rabc", "3;a\nb\r\nabc\r\n",
    "3;a\rb\r\nabc\r\n",
    "3;\0\r\nabc\r\n", "3\r\nabc0\r\n\r\n", "３\r\nabc\r\n", "3\r\r\nabc\r\n",
  ])
  func aChunkHasOneFormOnly(_ chunk: String) {
    expectRefusedRequest(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(chunk)0\r\n\r\n", .malformedChunk)
  }

  @Test(arguments: ["8000000000000000", "10000000000000000", "ffffffffffffffffffff", "00000000000000001"])
  func aChunkSizeThatCannotBeCountedIsRefused(_ size: String) {
    expectRefusedRequest(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(size)\r\nabc", .malformedChunk)
  }

  @Test(arguments: ["A : b", " A: b", "A", "A: \0", "A: b\r\n c"])
  func trailersAreFieldsLikeOthers(_ line: String) {
    expectRefusedRequest(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\(line)\r\n\r\n", .malformedField)
  }

  @Test func trailersDoNotAffectTheHead() {
    expectRequest(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
      ["POST / http11 chunked", "  Host: a", "  Transfer-Encoding: chunked", "end", "  Content-Length: 5"])
  }
}
