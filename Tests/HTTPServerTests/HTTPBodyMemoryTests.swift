import TestHTTPServer
@testable import Loop
@testable import Bytes
import Testing
@testable import Wire

@testable import HTTPServer

extension HTTPServerTests {
  @Suite struct BodyMemoryLimit {
    private static let length = 80_000

    private var options: HTTPServerOptions {
      var options = HTTPServerOptions()
      options.maximumBodyMemory = 200_000
      options.maximumCollectedBody = Self.length
      return options
    }

    private func half(of path: String) -> String {
      "PUT \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(Self.length)\r\n\r\n"
        + String(repeating: "x", count: Self.length / 2)
    }

    /// Answers with the length of the body, for `/kept` after `signal`.
    private func handler(_ signal: Promise<Void> = Promise()) -> HTTPServer.Handler {
      { request, response in
        let body = try await request.body.collect(limit: 1 << 30)
        if request.target.path == "/kept" { await signal.getRegardless() }
        try await response.send(200, body: Bytes("\(body.count)"))
      }
    }

    @Test func halfSentBodiesWaitForOneAnotherAndAllAreAnswered() async throws {
      try await withHTTPServer(options: options, handler: handler()) { server async throws in
        let memory = server.server.bodyMemory
        var clients: [HTTPTestClient] = []
        for _ in 0..<20 {
          let client = try await server.connect()
          try await client.send(half(of: "/"))
          clients.append(client)
        }
        while memory.waitingCount == 0 { await Task.yield() }
        // Short bodies are not counted.
        #expect(
          try await server.exchange("PUT / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc").hasSuffix("\r\n3"))
        for client in clients { try await client.send(String(repeating: "x", count: Self.length / 2)) }
        for client in clients {
          #expect(try await client.answer().body == "\(Self.length)")
          await client.close()
        }
        while memory.used > 0 { await Task.yield() }
        #expect(memory.waitingCount == 0)
      }
    }

    @Test func aBodyThatWaitsForTooLongIsRefused() async throws {
      var options = options
      options.bodyTimeout = .milliseconds(20)
      let signal = Promise<Void>()
      try await withHTTPServer(options: options, handler: handler(signal)) { server async throws in
        var kept: [HTTPTestClient] = []
        let rest = String(repeating: "x", count: Self.length / 2)
        for _ in 0..<2 {
          let client = try await server.connect()
          try await client.send(half(of: "/kept") + rest)
          kept.append(client)
        }
        let memory = server.server.bodyMemory
        while memory.used < 2 * Self.length { await Task.yield() }
        let refused = try await server.connect()
        try await refused.send(half(of: "/") + rest)
        let answer = try await refused.answer()
        #expect(answer.head.status == 503 && answer.head.fields.first("Retry-After") == "1")
        #expect(answer.body.contains("200000 bytes"))
        signal.fulfil(())
        for client in kept {
          #expect(try await client.answer().body == "\(Self.length)")
          await client.close()
        }
        while memory.used > 0 { await Task.yield() }
        try await refused.send(half(of: "/") + rest)
        #expect(try await refused.answer().body == "\(Self.length)")
        await refused.close()
      }
    }

    @Test func aClientThatDisconnectsFreesItsMemory() async throws {
      try await withHTTPServer(options: options, handler: handler()) { server async throws in
        let memory = server.server.bodyMemory
        for _ in 0..<10 {
          let client = try await server.connect()
          try await client.send(half(of: "/"))
          while memory.used == 0 { await Task.yield() }
          await client.close()
          while memory.used > 0 { await Task.yield() }
        }
      }
    }

    @Test func aStreamedBodyIsNotCounted() async throws {
      try await withHTTPServer(
        options: options,
        handler: { request, response in
          var count = 0
          while let piece = try await request.body.next() { count += piece.count }
          try await response.send(200, body: Bytes("\(count)"))
        }
      ) { server async throws in
        let text = half(of: "/") + String(repeating: "x", count: Self.length / 2)
        let clients = try await [server.connect(), server.connect(), server.connect(), server.connect()]
        for client in clients { try await client.send(half(of: "/")) }
        #expect(try await server.exchange(text + "GET / HTTP/1.0\r\n\r\n").contains("80000"))
        #expect(server.server.bodyMemory.used == 0)
        for client in clients { await client.close() }
      }
    }

    @Test(arguments: [(1, 20_000), (7, 50_000), (100_000, 3_000_000), (3_000_000, 3_000_000)])
    func aBodyInChunksIsWhole(_ chunkLength: Int, _ length: Int) async throws {
      let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 % 251) }
      try await withHTTPServer(handler: { request, response in
        let body = try await request.body.collect(limit: bytes.count)
        try await response.send(200, body: body == Bytes(bytes) ? "same" : "different")
      }) { server async throws in
        let client = try await server.connect()
        try await client.send("PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        var buffer = ByteBuffer()
        for start in stride(from: 0, to: bytes.count, by: chunkLength) {
          let end = min(start + chunkLength, bytes.count)
          buffer.append("\(String(end - start, radix: 16))\r\n")
          buffer.append(contentsOf: bytes[start..<end])
          buffer.append("\r\n")
        }
        buffer.append("0\r\n\r\n")
        try await client.stream.write([buffer.takeAll()])
        #expect(try await client.answer().body == "same")
        await client.close()
      }
    }
  }
}
