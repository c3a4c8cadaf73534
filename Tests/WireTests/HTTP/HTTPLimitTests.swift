import Testing

@testable import Wire

@Suite struct HTTPLimitTests {
  private var limits: HTTPLimits {
    var limits = HTTPLimits()
    limits.targetLength = 20
    limits.fieldSectionLength = 64
    limits.fieldCount = 3
    limits.chunkLineLength = 32
    limits.chunkExtensionsLength = 40
    limits.trailerLength = 32
    limits.statusLineLength = 32
    return limits
  }

  private func letters(_ count: Int) -> String { String(repeating: "a", count: count) }

  @Test func aTargetMayReachItsLimit() {
    expectRequest(
      "GET /\(letters(19)) HTTP/1.0\r\n\r\n", ["GET /\(letters(19)) http10 none", "end"], limits: limits)
    expectRefusedRequest("GET /\(letters(20)) HTTP/1.0\r\n\r\n", .targetTooLong, limits: limits)
    expectRefusedRequest("GET /\(letters(60))", .targetTooLong, limits: limits)
    expectRefusedRequest(letters(33) + " / HTTP/1.0\r\n\r\n", .malformedStartLine, limits: limits)
    expectRefusedRequest(letters(60), .malformedStartLine, limits: limits)
  }

  @Test func aHeadMayReachItsLimit() {
    let fits = "GET / HTTP/1.0\r\nA: \(letters(57))\r\n\r\n"
    expectRequest(fits, ["GET / http10 none", "  A: \(letters(57))", "end"], limits: limits)
    expectRefusedRequest("GET / HTTP/1.0\r\nA: \(letters(58))\r\n\r\n", .fieldsTooLong, limits: limits)
    expectRefusedRequest("GET / HTTP/1.0\r\nA: \(letters(100))", .fieldsTooLong, limits: limits)
  }

  @Test func fieldsAreCounted() {
    expectRequest(
      "GET / HTTP/1.0\r\nA: 1\r\nA: 2\r\nA: 3\r\n\r\n",
      ["GET / http10 none", "  A: 1", "  A: 2", "  A: 3", "end"],
      limits: limits)
    expectRefusedRequest(
      "GET / HTTP/1.0\r\nA: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\n\r\n", .fieldsTooLong, limits: limits)
  }

  @Test func chunkExtensionsAndTrailersAreBounded() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    expectRefusedRequest(head + "1;\(letters(29))\r\na\r\n", .malformedChunk, limits: limits)
    expectRefusedRequest(head + "1;\(letters(100))", .malformedChunk, limits: limits)
    let fits = "1;\(letters(19))\r\na\r\n"
    expectRequest(
      head + fits + fits + "0\r\n\r\n",
      ["POST / http11 chunked", "  Host: a", "  Transfer-Encoding: chunked", "body aa", "end"], limits: limits
    )
    expectRefusedRequest(head + fits + fits + "1;\r\na\r\n", .malformedChunk, limits: limits)
    expectRefusedRequest(head + "0\r\nA: \(letters(28))\r\n\r\n", .fieldsTooLong, limits: limits)
    expectRefusedRequest(head + "0\r\nA: \(letters(100))", .fieldsTooLong, limits: limits)
  }

  @Test func aResponseIsBoundedToo() {
    expectRefusedResponse("HTTP/1.1 200 \(letters(30))\r\n\r\n", .malformedStartLine, limits: limits)
    expectRefusedResponse("HTTP/1.1 200 \(letters(30))", .malformedStartLine, limits: limits)
    expectRefusedResponse("HTTP/1.1 200 OK\r\nA: \(letters(60))\r\n\r\n", .fieldsTooLong, limits: limits)
    let interim = String(repeating: "HTTP/1.1 102 Processing\r\n\r\n", count: 17)
    expectRefusedResponse(interim + "HTTP/1.1 200 OK\r\n\r\n", .malformedStartLine)
  }
}
