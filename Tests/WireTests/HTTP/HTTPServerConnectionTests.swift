import Bytes
import Testing

@testable import Wire

@Suite struct HTTPServerConnectionTests {
  private static let closing = "Connection: close"
  private static let get = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
  private static let put = "PUT /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"

  // MARK: Requests

  @Test func `requests are answered in their order`() {
    expectOutput(
      of: Self.get + Self.put + "\r\nabc"
        + "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n" + Self.get,
      response(200, body: "GET /1 ") + response(200, body: "PUT /2 abc") + response(200, body: "POST /3 xyz")
        + response(200, body: "GET /1 "))
  }

  @Test(arguments: ["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"])
  func `what follows the last request is discarded`(_ text: String) {
    let last = response(200, Self.closing, body: "GET / ") + "FIN "
    for trailing in ["", Self.get, "\0nonsense"] {
      expectOutput(of: text + trailing, last)
      expectOutput(of: Self.get + text + trailing, response(200, body: "GET /1 ") + last)
    }
  }

  @Test func `HTTP 1.0 keeps the connection if it asks`() {
    let kept = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    let answer = response(200, "Connection: keep-alive", body: "GET / ")
    expectOutput(of: kept + kept, answer + answer)
  }

  @Test(arguments: [
    ("GET / HTTP/1.1\r\n\r\n", 400), ("\u{16}\u{3}\u{1}", 400), ("GET / HTTP/3.0\r\n\r\n", 505),
    ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: br, chunked\r\n\r\n", 501),
    ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    (
      "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n"
        + String(repeating: "x", count: 101), 413
    ),
    ("GET /\(String(repeating: "x", count: 200)) HTTP/1.1\r\n", 414),
    ("GET / HTTP/1.1\r\nX: \(String(repeating: "x", count: 300))\r\n", 431),
  ])
  func `an error ends the connection`(_ text: String, _ status: Int) {
    var options = HTTPServerConnection.Options()
    options.maximumBodyLength = 100
    options.limits.targetLength = 100
    options.limits.fieldSectionLength = 200
    for trailing in ["", Self.get] {
      expectOutput(
        of: Self.get + text + trailing,
        response(200, body: "GET /1 ") + response(status, Self.closing, body: "") + "FIN ", options: options)
    }
  }

  @Test(arguments: [
    ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "a:1"),
    ("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", 413, "/x"),
    ("PUT /x HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417, "/x"),
  ])
  func `a request that cannot be served is reported with its head`(
    _ text: String, _ status: Int, _ path: String
  ) {
    var options = HTTPServerConnection.Options()
    options.maximumBodyLength = 100
    expectOutput(
      of: text + Self.get, response(status, Self.closing, body: path) + "FIN ", options: options)
  }

  // MARK: 100-continue

  private static let expecting = put + "Expect: 100-Continue\r\n\r\n"
  private static let interim = "HTTP/1.1 100 Continue\r\n\r\n"

  @Test func `a client that waits gets 100`() {
    let answer = Self.interim + response(200, body: "PUT /2 abc")
    expectOutput(of: Self.expecting, Self.interim)
    expectOutput(of: Self.expecting + "abc", answer, feedings: [.byteByByte])
    expectOutput(
      of:
        "PUT /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      answer, feedings: [.byteByByte])
  }

  @Test func `a client that does not wait gets no 100`() {
    expectOutput(of: Self.expecting + "abc", response(200, body: "PUT /2 abc"), feedings: [.whole])
    // Of HTTP/1.0, and without a body.
    expectOutput(
      of: "PUT / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx",
      response(200, Self.closing, body: "PUT / x") + "FIN ")
    expectOutput(
      of: "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", response(200, body: "PUT / "))
  }

  @Test func `no 100 is sent for a body that is not requested`() {
    expectOutput(
      of: Self.expecting, response(200, Self.closing, body: "ignored") + "FIN ", handler: .ignoresBody)
  }

  // MARK: Bodies that nobody reads

  @Test func `a received body is discarded`() {
    expectOutput(
      of: Self.put + "\r\nabc" + Self.get,
      response(200, body: "ignored") + response(200, body: "ignored"), handler: .ignoresBody,
      feedings: [.whole])
  }

  @Test func `an incomplete body ends the connection`() {
    expectOutput(
      of: Self.put + "\r\nabc", response(200, Self.closing, body: "ignored") + "FIN ",
      handler: .ignoresBody, feedings: [.byteByByte])
  }

  // MARK: Responses

  /// The bytes of a response to `request` that is sent in `pieces`.
  private func stream(
    _ pieces: [Bytes], to request: String, _ status: Int = 200, length: Int64? = nil
  ) throws -> (text: String, next: HTTPServerConnection.Event) {
    var connection = HTTPServerConnection(options: .init())
    var input = ByteBuffer(request.utf8)
    guard case .request = connection.nextEvent(&input) else {
      throw HTTPProtocolError(.truncated, "no request")
    }
    var output = ByteBuffer()
    try connection.startResponse(status, length: length, head: &output, unread: &input)
    for piece in pieces {
      for bytes in try connection.sendBody([piece]) { output.append(bytes) }
    }
    #expect(!connection.isResponseComplete)
    for bytes in try connection.sendBody([], isLast: true) { output.append(bytes) }
    let rest = try connection.sendBody([], isLast: true)
    #expect(connection.isResponseComplete && rest == [])
    connection.startNextCycle()
    return (String(output.takeAll()), connection.nextEvent(&input))
  }

  @Test func `a body of unknown length is chunked or ends with the connection`() throws {
    let chunked = try stream(["a", "", "bc"], to: Self.get)
    #expect(chunked.text == "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")
    let older = try stream(["a", "", "bc"], to: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    #expect(older.text == "Connection: close\r\n\r\nabc")
    guard case .needsData = chunked.next, case .shutdownOutput = older.next else {
      Issue.record("\(chunked.next) \(older.next)")
      return
    }
  }

  @Test func `bytes that the driver sends itself are framed like others`() throws {
    func frame(_ request: String, length: Int64? = nil) throws -> (before: Bytes, behind: Bytes)? {
      var connection = HTTPServerConnection(options: .init())
      var input = ByteBuffer(request.utf8)
      _ = connection.nextEvent(&input)
      var output = ByteBuffer()
      try connection.startResponse(200, length: length, head: &output, unread: &input)
      let frame = try connection.frameBody(300)
      #expect(!connection.isResponseComplete)
      return frame
    }
    let chunked = try #require(try frame(Self.get))
    #expect(chunked.before == "12c\r\n" && chunked.behind == "\r\n")
    for plain in [try frame("GET / HTTP/1.0\r\n\r\n"), try frame(Self.get, length: 300)] {
      #expect(plain?.before == "" && plain?.behind == "")
    }
    #expect(try frame("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n") == nil)
    #expect(throws: HTTPProtocolError.self) { try frame(Self.get, length: 299) }
  }

  @Test func `some responses have no body`() throws {
    let head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
    #expect(try stream(["abc"], to: head, length: 3).text == "Content-Length: 3\r\n\r\n")
    #expect(try stream(["abc"], to: head).text == "Transfer-Encoding: chunked\r\n\r\n")
    #expect(try stream(["abc"], to: Self.get, 204, length: 3).text == "\r\n")
    #expect(try stream([], to: Self.get, 304, length: 0).text == "\r\n")
    #expect(try stream([], to: Self.get, 304, length: 3).text == "Content-Length: 3\r\n\r\n")
  }

  @Test func `a body is as long as its head says`() throws {
    #expect(try stream(["ab", "c"], to: Self.get, length: 3).text == "Content-Length: 3\r\n\r\nabc")
    for length: Int64 in [2, 4] {
      #expect(throws: HTTPProtocolError.self) { try stream(["ab", "c"], to: Self.get, length: length) }
    }
  }

  @Test func `an invalid response is a misuse error`() throws {
    var connection = HTTPServerConnection(options: .init())
    var input = ByteBuffer(Self.get.utf8)
    var output = ByteBuffer()
    func expectMisuse(_ body: (inout HTTPServerConnection) throws -> Void) {
      let error = #expect(throws: HTTPProtocolError.self) { try body(&connection) }
      #expect(error?.kind == .misuse && error?.statusHint == 500)
    }
    expectMisuse { _ = try $0.sendBody(["a"]) }
    _ = connection.nextEvent(&input)
    expectMisuse { _ = try $0.sendBody(["a"]) }
    expectMisuse { _ = try $0.sendBody([], isLast: true) }
    try connection.startResponse(200, length: nil, head: &output, unread: &input)
    #expect(throws: HTTPProtocolError.self) {
      try connection.startResponse(200, length: nil, head: &output, unread: &input)
    }
    _ = try connection.sendBody(["a"], isLast: true)
    expectMisuse { _ = try $0.sendBody(["a"]) }
  }

  @Test func `a truncated response closes the connection`() throws {
    var connection = HTTPServerConnection(options: .init())
    var input = ByteBuffer((Self.get + Self.get).utf8)
    var output = ByteBuffer()
    _ = connection.nextEvent(&input)
    try connection.startResponse(200, length: 3, head: &output, unread: &input)
    connection.startNextCycle()
    guard case .close = connection.nextEvent(&input) else {
      Issue.record("goes on")
      return
    }
  }
}
