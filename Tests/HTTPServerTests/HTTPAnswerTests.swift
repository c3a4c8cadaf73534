import TestHTTPServer
@testable import Loop
@testable import Bytes
import Testing
@testable import Wire

@testable import HTTPServer

/// Answers with the method, the target and the body.
@LoopActor
private func echo(_ request: Request, _ response: ResponseWriter) async throws {
  let body = try await request.body.collect(limit: 1 << 20)
  try await response.send(
    200, fields: ["Content-Type": "text/plain"],
    body: Bytes("\(request.method) \(request.head.target) \(body)"))
}

/// Sends the chunks `a` and `bc`, and an empty piece.
@LoopActor
private func stream(_ request: Request, _ response: ResponseWriter) async throws {
  try await response.start(200)
  try await response.write(["a"])
  try await response.write(["b", Bytes(), "c"])
  try await response.write([Bytes()])
}

extension HTTPServerTests {
  @Suite struct Answers {
    @Test func aResponseHasItsLengthDateAndRequestID() async throws {
      try await withHTTPServer(handler: echo) { server async throws in
        let client = try await server.connect()
        try await client.send("GET /health?a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let answer = try await client.answer()
        #expect(answer.head.status == 200)
        #expect(answer.body == "GET /health?a ")
        #expect(answer.head.fields.first("Content-Length") == "14")
        #expect(answer.head.fields.first("X-Request-ID")?.isEmpty == false)
        #expect(answer.head.fields.first("X-E2B-Trace-ID") == answer.head.fields.first("X-Request-ID"))
        #expect(HTTPDate.parse(answer.head.fields.first("Date") ?? "", now: 0) != nil)
        #expect(answer.head.fields.first("Connection") == nil)
        await client.close()
      }
    }

    @Test func aConnectionServesOneRequestAfterTheOther() async throws {
      try await withHTTPServer(handler: echo) { server async throws in
        let client = try await server.connect()
        for number in 1...3 {
          try await client.send("POST /\(number) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab")
          #expect(try await client.answer().body == "POST /\(number) ab")
        }
        await client.close()
      }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
      try await withHTTPServer(handler: echo) { server async throws in
        let answer = try await server.exchange(
          "POST /1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n1\r\ny\r\n0\r\n\r\n"
            + "HEAD /2 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        let parts = answer.split(separator: "HTTP/1.1 200 OK\r\n")
        #expect(parts.count == 3)
        #expect(parts[0].hasSuffix("\r\n\r\nPOST /1 xy"))
        #expect(parts[1].hasSuffix("\r\nContent-Length: 8\r\n\r\n"))
        #expect(parts[2].hasSuffix("\r\nConnection: close\r\n\r\nGET /3 "))
      }
    }

    @Test func requestsArriveInAnyPieces() async throws {
      try await withHTTPServer(handler: echo) { server async throws in
        let client = try await server.connect()
        for byte
          in "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
          .utf8
        {
          try await client.send(String(UnicodeScalar(byte)))
          await Task.yield()
        }
        #expect(try await client.answer().body == "POST / ab")
        await client.close()
      }
    }

    @Test func aStreamIsChunked() async throws {
      try await withHTTPServer(handler: stream) { server async throws in
        let answer = try await server.exchange(
          "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        #expect(answer.contains("\r\nTransfer-Encoding: chunked\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"))
      }
    }

    @Test func anHTTP10ClientGetsAStreamWithoutChunks() async throws {
      try await withHTTPServer(handler: stream) { server async throws in
        let answer = try await server.exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(!answer.contains("chunked"))
        #expect(answer.hasSuffix("\r\nConnection: close\r\n\r\nabc"))
      }
    }

    @Test func anHTTP10ClientKeepsItsConnectionOnRequest() async throws {
      try await withHTTPServer(handler: echo) { server async throws in
        let answer = try await server.exchange(
          "GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n")
        #expect(answer.contains("\r\nConnection: keep-alive\r\n\r\nGET /1 HTTP/1.1 200 OK\r\n"))
        #expect(answer.hasSuffix("\r\nConnection: close\r\n\r\nGET /2 "))
      }
    }

    @Test func writtenBytesArriveBeforeTheResponseEnds() async throws {
      let signal = TestSignal()
      try await withHTTPServer(handler: { _, response in
        try await response.start(200, fields: ["Content-Type": "application/x-ndjson"])
        await signal.wait()
        try await response.write(["{}\n"])
        await signal.wait()
        try await response.finish()
      }) { server async throws in
        let client = try await server.connect()
        try await client.send("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        guard case .head(_, body: .chunked)? = try await client.event() else {
          Issue.record("no head")
          return
        }
        signal.set()
        #expect(try await client.event() == .body("{}\n"))
        #expect(try await client.event() == .end(trailers: [:]))
        await client.close()
      }
    }

    @Test func theResponseToHeadIsThatToGetWithoutBody() async throws {
      try await withHTTPServer(handler: { _, response in
        #expect(!response.sendsBody)
        try await response.start(200, length: 5)
        try await response.write(["hello"])
      }) { server async throws in
        let client = try await server.connect()
        for _ in 0..<2 {
          try await client.send("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
          #expect(try await client.answer(to: "HEAD").head.fields.first("Content-Length") == "5")
        }
        await client.close()
      }
    }

    @Test func someStatusesHaveNoBody() async throws {
      try await withHTTPServer(handler: { request, response in
        try await response.send(request.target.path == "/204" ? 204 : 304, fields: ["ETag": "\"a\""])
      }) { server async throws in
        for status in ["204", "304"] {
          let answer = try await server.exchange(
            "GET /\(status) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
          #expect(
            answer.hasPrefix("HTTP/1.1 \(status) ") && answer.hasSuffix("\r\nConnection: close\r\n\r\n"))
          #expect(!answer.contains("Content-Length") && !answer.contains("chunked"))
        }
      }
    }

    @Test func largeBodiesArriveComplete() async throws {
      let size = 2 << 20
      try await withHTTPServer(handler: { request, response in
        var count = 0
        while let piece = try await request.body.next() { count += piece.count }
        try await response.send(200, body: Bytes(repeatElement(UInt8(ascii: "x"), count: count)))
      }) { server async throws in
        let client = try await server.connect()
        try await client.send("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(size)\r\n\r\n")
        try await client.stream.write([Bytes(repeatElement(UInt8(ascii: "y"), count: size))])
        #expect(try await client.answer().body.utf8.count == size)
        await client.close()
      }
    }

    @Test func eachRequestGetsALine() async throws {
      try await withHTTPServer(handler: echo) { server async throws in
        _ = try await server.exchange(
          "GET /a?secret HTTP/1.1\r\nHost: localhost\r\n\r\nPUT /gr\u{9B}ün HTTP/1.0\r\n\r\n")
        _ = try await server.exchange("nonsense\r\n\r\n")
        let lines = server.log.all
        #expect(lines.count == 3)
        #expect(lines[0].hasPrefix("info request bytes=14 client=127.0.0.1 method=GET milliseconds="))
        #expect(lines[0].contains(" path=/a request-id=") && lines[0].hasSuffix(" status=200"))
        #expect(lines[1].contains(" path=/gr%C2%9B%C3%BCn "))
        #expect(
          lines[2].contains(" client=127.0.0.1 method=- ") && lines[2].contains(" path=- ")
            && lines[2].hasSuffix(" status=400"))
      }
    }
  }
}
