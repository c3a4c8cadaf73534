import TestHTTPServer
import Loop
import Bytes
import Testing
@testable import Wire

@testable import HTTPServer

extension HTTPServerTests {
  @Suite struct ConnectionLimit {
    private static let health = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    private static let other = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

    /// Runs `body` with a server whose connections are at the limit.
    private func withFullServer(
      limit: Int = 2, linger: Duration = .seconds(1000),
      _ body: @escaping @LoopActor (HTTPTestServer, [HTTPTestClient]) async throws -> Void
    ) async throws {
      var options = HTTPServerOptions()
      options.maximumConnections = limit
      options.lingerTimeout = linger
      options.pathServedOverLimit = "/health"
      try await withHTTPServer(
        options: options, handler: { _, response in try await response.send(200, body: "OK") }
      ) { server async throws in
        var clients: [HTTPTestClient] = []
        for _ in 0..<limit {
          let client = try await server.connect()
          try await client.send(Self.other)
          #expect(try await client.answer().head.status == 200)
          clients.append(client)
        }
        try await body(server, clients)
        for client in clients { await client.close() }
      }
    }

    @Test func furtherConnectionsAreRefusedAndExistingOnesContinue() async throws {
      try await withFullServer { server, clients async throws in
        let answer = try await server.exchange(Self.other)
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
        #expect(answer.contains("\r\nRetry-After: 1\r\n") && answer.contains("\r\nConnection: close\r\n"))
        for client in clients {
          try await client.send(Self.other)
          #expect(try await client.answer().body == "OK")
        }
      }
    }

    @Test func healthIsServedOnceOnAFurtherConnection() async throws {
      try await withFullServer { server, _ async throws in
        let answer = try await server.exchange(Self.health + Self.health)
        #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.contains("\r\nConnection: close\r\n"))
        #expect(answer.hasSuffix("\r\n\r\nOK"))
      }
    }

    @Test func aClosedConnectionMakesRoom() async throws {
      try await withFullServer { server, clients async throws in
        await clients[0].close()
        while server.server.connectionCount > 1 { await Task.yield() }
        let client = try await server.connect()
        try await client.send(Self.other)
        #expect(try await client.answer().head.keepsConnection)
        await client.close()
      }
    }

    @Test func aBodyOfAFurtherConnectionIsNotRead() async throws {
      try await withFullServer { server, _ async throws in
        let client = try await server.connect()
        try await client.send("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
        let piece = Bytes([UInt8](repeating: 0, count: 1 << 16))
        // Without the limit the client could go on until the linger time-out, which is longer than any test.
        await #expect(throws: UVError.self) { while true { try await client.stream.write([piece]) } }
        await client.close()
      }
    }

    @Test(arguments: ["", "GET /hea"])
    func aFurtherConnectionWithoutARequestIsRefusedSoon(_ start: String) async throws {
      try await withFullServer(linger: .milliseconds(20)) { server, _ async throws in
        #expect(try await server.exchange(start).hasPrefix("HTTP/1.1 503 "))
      }
    }

    @Test func silentConnectionsDoNotBlockHealthChecks() async throws {
      try await withFullServer { server, _ async throws in
        var silent: [HTTPTestClient] = []
        for _ in 0..<HTTPServer.maximumConnectionsOverLimit + 10 { silent.append(try await server.connect()) }
        #expect(try await server.exchange(Self.health).hasPrefix("HTTP/1.1 200 "))
        #expect(server.server.connectionCount <= 2 + HTTPServer.maximumConnectionsOverLimit)
        #expect(try await silent[0].untilClosed().hasPrefix("HTTP/1.1 503 "))
        for client in silent { await client.close() }
      }
    }
  }
}
