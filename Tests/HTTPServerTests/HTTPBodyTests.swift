import TestHTTPServer
import Loop
import Bytes
import Testing
@testable import Wire

@testable import HTTPServer

/// Answers 404 without reading the body.
@LoopActor
private func refuse(_ request: Request, _ response: ResponseWriter) async throws {
  throw HTTPErrorResponse(404, "no")
}

extension HTTPServerTests {
  @Suite struct Bodies {
    private let expecting =
      "PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n"

    @Test func aClientThatWaitsGets100Continue() async throws {
      try await withHTTPServer(handler: count) { server async throws in
        let client = try await server.connect()
        try await client.send(expecting)
        #expect(try await client.read(25) == "HTTP/1.1 100 Continue\r\n\r\n")
        try await client.send("abc")
        #expect(try await client.answer().body == "3")
        await client.close()
      }
    }

    @Test func aClientThatDoesNotWaitGetsNo100Continue() async throws {
      try await withHTTPServer(handler: count) { server async throws in
        let answer = try await server.exchange(expecting + "abcGET / HTTP/1.0\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 200 OK") && !answer.contains("100 Continue"))
      }
    }

    @Test func aRefusedBodyIsNotRequested() async throws {
      try await withHTTPServer(handler: refuse) { server async throws in
        let answer = try await server.exchange(expecting)
        #expect(answer.hasPrefix("HTTP/1.1 404 ") && answer.contains("\r\nConnection: close\r\n"))
      }
    }

    @Test func aClientThatStillSendsSeesTheRefusal() async throws {
      try await withHTTPServer(handler: refuse) { server async throws in
        let client = try await server.connect()
        try await client.send("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000000\r\n\r\n")
        let piece = Bytes([UInt8](repeating: 0, count: 1 << 20))
        for _ in 0..<20 { try await client.stream.write([piece]) }
        try await client.stream.flush()
        #expect(try await client.answer().head.status == 404)
        #expect(try await client.event() == nil)
        await client.close()
      }
    }

    @Test func anUnreadBodyThatHasArrivedIsDiscarded() async throws {
      try await withHTTPServer(handler: refuse) { server async throws in
        let client = try await server.connect()
        for _ in 0..<2 {
          try await client.send(
            "PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
          let answer = try await client.answer()
          #expect(answer.head.status == 404 && answer.head.keepsConnection)
        }
        await client.close()
      }
    }

    @Test func aBodyIsCollectedUpToALimit() async throws {
      try await withHTTPServer(handler: { request, response in
        try await response.send(200, body: try await request.body.collect(limit: 5))
      }) { server async throws in
        let head = "PUT / HTTP/1.0\r\nContent-Length: "
        #expect(try await server.exchange(head + "5\r\n\r\nhello").hasSuffix("\r\n\r\nhello"))
        #expect(try await server.exchange(head + "0\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
        #expect(try await server.exchange(head + "6\r\n\r\n").hasPrefix("HTTP/1.1 413 "))
        let chunked =
          "PUT / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(
          try await server.exchange(chunked + "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n").hasSuffix("\r\n\r\nhello"))
        #expect(
          try await server.exchange(chunked + "2\r\nhe\r\n4\r\nllo!\r\n0\r\n\r\n").hasPrefix("HTTP/1.1 413 "))
        #expect(try await server.exchange(chunked + "6\r\nhello!\r\n0\r\n\r\n").hasPrefix("HTTP/1.1 413 "))
      }
    }

    @Test func aTruncatedBodyIsAnError() async throws {
      let failed = TestSignal()
      try await withHTTPServer(handler: { request, response in
        do {
          _ = try await request.body.collect(limit: 100)
        } catch {
          #expect((error as? HTTPErrorResponse)?.status == 400)
          failed.set()
          throw error
        }
      }) { server async throws in
        let client = try await server.connect()
        try await client.send("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabc")
        try await client.stream.shutdownOutput()
        await failed.wait()
        #expect(try await client.answer().head.status == 400)
        await client.close()
      }
    }
  }

  @Suite struct TimeOuts {
    private var options: HTTPServerOptions {
      var options = HTTPServerOptions()
      options.headTimeout = .milliseconds(20)
      options.bodyTimeout = .milliseconds(20)
      options.lingerTimeout = .milliseconds(20)
      return options
    }

    @Test(arguments: ["GET", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nA: b"])
    func aHeadThatIsNotWholeInTimeIsRefused(_ text: String) async throws {
      try await withHTTPServer(options: options, handler: count) { server async throws in
        let answer = try await server.exchange(text)
        #expect(answer.hasPrefix("HTTP/1.1 408 ") && answer.contains("\r\nConnection: close\r\n"))
        #expect(server.log.all.filter { $0.hasSuffix(" status=408") }.count == 1)
      }
    }

    @Test func aStalledBodyIsRefused() async throws {
      try await withHTTPServer(options: options, handler: count) { server async throws in
        let answer = try await server.exchange(
          "PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabc")
        #expect(answer.hasPrefix("HTTP/1.1 408 ") && answer.contains("\r\nConnection: close\r\n"))
        while server.server.connectionCount > 0 { await Task.yield() }
        #expect(server.log.all.filter { $0.hasSuffix(" status=408") }.count == 1)
      }
    }

    @Test func aClientThatDoesNotCloseIsClosed() async throws {
      try await withHTTPServer(options: options, handler: count) { server async throws in
        let client = try await server.connect()
        try await client.send("GET / HTTP/1.0\r\n\r\n")
        #expect(try await client.untilClosed().hasPrefix("HTTP/1.1 200 "))
        // The client stays open; the server closes the connection after the linger time-out.
        while server.server.connectionCount > 0 { try await EventLoop.sleep(for: .milliseconds(1)) }
        await client.close()
      }
    }

    @Test func anIdleConnectionIsClosed() async throws {
      var options = options
      options.idleTimeout = .milliseconds(20)
      try await withHTTPServer(options: options, handler: count) { server async throws in
        #expect(try await server.exchange("") == "")
        let answer = try await server.exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 200 ") && !answer.contains("Connection: close"))
      }
    }
  }
}
