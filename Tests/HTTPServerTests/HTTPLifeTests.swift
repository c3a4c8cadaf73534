import TestHTTPServer
import Loop
import Bytes
import Testing
@testable import Wire

@testable import HTTPServer

extension HTTPServerTests {
  @Suite struct Life {
    @Test(arguments: [true, false])
    func aClientThatGoesAwayIsNoticed(_ onlyHalf: Bool) async throws {
      let noticed = TestSignal()
      let began = TestSignal()
      try await withHTTPServer(handler: { _, response in
        try await response.start(200)
        began.set()
        await response.untilClientDisconnects()
        #expect(response.isClientDisconnected)
        noticed.set()
      }) { server async throws in
        let client = try await server.connect()
        try await client.send("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await began.wait()
        if onlyHalf { try await client.stream.shutdownOutput() } else { await client.close() }
        await noticed.wait()
        await client.close()
      }
    }

    @Test func aClientThatPipelinesDoesNotCountAsGone() async throws {
      let began = TestSignal()
      let noticed = TestSignal()
      try await withHTTPServer(handler: { _, response in
        try await response.start(200)
        let watching = Task { await response.untilClientDisconnects() }
        began.set()
        await noticed.wait()
        #expect(!response.isClientDisconnected)
        watching.cancel()
        await watching.value
      }) { server async throws in
        let client = try await server.connect()
        let request = "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try await client.send(request + request)
        await began.wait()
        try await client.send(request)
        noticed.set()
        for _ in 0..<3 { #expect(try await client.answer().head.status == 200) }
        await client.close()
      }
    }

    @Test func writingToADisconnectedClientThrows() async throws {
      let ended = TestSignal()
      try await withHTTPServer(handler: { _, response in
        defer { ended.set() }
        try await response.start(200)
        let piece = Bytes([UInt8](repeating: 0, count: 1 << 16))
        await #expect(throws: ClientDisconnected.self) { while true { try await response.write([piece]) } }
      }) { server async throws in
        let client = try await server.connect()
        try await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        _ = try await client.read(100)
        await client.close()
        await ended.wait()
        while server.server.connectionCount > 0 { await Task.yield() }
      }
    }

    @Test func aClientThatReadsNothingCountsAsGone() async throws {
      let ended = TestSignal()
      var options = HTTPServerOptions()
      options.writeTimeout = .milliseconds(20)
      try await withHTTPServer(
        options: options,
        handler: { _, response in
          defer { ended.set() }
          try await response.start(200)
          let piece = Bytes([UInt8](repeating: 0, count: 1 << 16))
          // Both the writer and the task that waits for the client's end are told.
          let writer = LoopActor.task { while true { try await response.write([piece]) } }
          await response.untilClientDisconnects()
          #expect(response.isClientDisconnected)
          await #expect(throws: ClientDisconnected.self) { try await writer.value }
        }
      ) { server async throws in
        let client = try await server.connect()
        try await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await ended.wait()
        while server.server.connectionCount > 0 { await Task.yield() }
        #expect(server.log.all.contains { $0.contains("read nothing") })
        await client.close()
      }
    }

    @Test func aClientThatPipelinesAndReadsNothingCountsAsGone() async throws {
      var options = HTTPServerOptions()
      options.writeTimeout = .milliseconds(20)
      let body = Bytes([UInt8](repeating: 0, count: 1 << 20))
      try await withHTTPServer(
        options: options, handler: { _, response in try await response.send(200, body: body) }
      ) { server async throws in
        let client = try await server.connect()
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try await client.send(String(repeating: request, count: 100))
        while server.server.connectionCount == 0 { await Task.yield() }
        while server.server.connectionCount > 0 { try await EventLoop.sleep(for: .milliseconds(1)) }
        await client.close()
      }
    }

    @Test func drainingEndsIdleConnectionsAndFinishesResponses() async throws {
      let began = TestSignal()
      let mayEnd = TestSignal()
      try await withHTTPServer(handler: { request, response in
        if request.target.path == "/slow" {
          began.set()
          await mayEnd.wait()
        }
        try await response.send(200, body: "done")
      }) { server async throws in
        let idle = try await server.connect()
        try await idle.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try await idle.answer().head.keepsConnection)
        let busy = try await server.connect()
        try await busy.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await began.wait()
        await server.server.drain()
        #expect(try await idle.event() == nil)
        await #expect(throws: UVError.connectionRefused) { _ = try await server.connect() }
        mayEnd.set()
        let answer = try await busy.answer()
        #expect(answer.body == "done" && !answer.head.keepsConnection)
        #expect(try await busy.event() == nil)
        await idle.close()
        await busy.close()
      }
    }

    @Test func aCancelledServerAbortsConnections() async throws {
      let began = TestSignal()
      try await withHTTPServer(handler: { _, response in
        try await response.start(200)
        began.set()
        try await EventLoop.sleep(for: .seconds(1000))
      }) { server async throws in
        let client = try await server.connect()
        try await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await began.wait()
        // At its end the test cancels the server and checks that no handles are left.
        await client.close()
      }
    }

    @Test func aTaskThatOutlivesItsRequestCannotAffectTheNextOne() async throws {
      let isLate = TestSignal()
      let mayEnd = TestSignal()
      let task = Late()
      try await withHTTPServer(handler: { request, response in
        if request.target.path == "/first" {
          task.task = LoopActor.task {
            await isLate.wait()
            await #expect(throws: HTTPProtocolError.self) { try await response.write(["stray"]) }
            await #expect(throws: HTTPErrorResponse.self) { _ = try await request.body.next() }
            mayEnd.set()
          }
        } else {
          isLate.set()
          await mayEnd.wait()
        }
        try await response.send(200, body: try await request.body.collect(limit: 10))
      }) { server async throws in
        let client = try await server.connect()
        try await client.send("GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try await client.answer().body == "")
        try await client.send("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")
        #expect(try await client.answer().body == "abc")
        await task.task?.value
        await client.close()
      }
    }

    @LoopActor private final class Late {
      var task: Task<Void, Never>?
      nonisolated init() {}
    }

    @Test func manyConnectionsAreServedAtOnce() async throws {
      try await withHTTPServer(handler: { _, response in try await response.send(200, body: "OK") }) {
        server in
        var clients: [HTTPTestClient] = []
        for _ in 0..<100 { clients.append(try await server.connect()) }
        for client in clients { try await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") }
        for client in clients { #expect(try await client.answer().body == "OK") }
        for client in clients { await client.close() }
      }
    }
  }
}
