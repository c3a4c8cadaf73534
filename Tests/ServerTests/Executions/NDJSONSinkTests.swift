import TestHTTPServer
import HTTPServer
import Loop
import Bytes
import Testing
import Wire

@testable import Server

extension ServerTests {
  @Suite struct NDJSONSinks {
    @Test func `a silent stream is kept alive`() async throws {
      try await withHTTPServer(handler: { _, response in
        let output = NDJSONSink(writer: response, identifier: "1")
        await output.begin()
        output.breakSilence()
        await LoopActor.task {}.value
        await output.finish()
      }) { server async throws in
        let client = try await server.connect()
        try await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try await client.answer().body == " {\"type\":\"end_of_execution\"}\n")
        await client.close()
      }
    }

    @Test func `nothing accumulates for a client that does not read`() async throws {
      let text = String(repeating: "x", count: 1 << 16)
      let stalled = TestSignal()
      try await withHTTPServer(handler: { _, response in
        let output = NDJSONSink(writer: response, identifier: "1")
        await output.begin()
        let sent = Counter()
        let writing = LoopActor.task {
          for _ in 0..<200 {
            await output.send([.failure(.connectionLost, text)])
            sent.count += 1
          }
        }
        // Nobody reads until many keep-alives were due. The system's buffers are full by then.
        var before = -1
        while sent.count != before {
          before = sent.count
          try await EventLoop.sleep(for: .milliseconds(50))
        }
        #expect(sent.count < 200)
        for _ in 0..<1000 { output.breakSilence() }
        for _ in 0..<100 { await Task.yield() }
        stalled.set()
        await writing.value
        await output.finish()
      }) { server async throws in
        let client = try await server.connect()
        try await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await stalled.wait()
        let lines = try await client.answer().body.utf8.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 201)
        #expect(lines.allSatisfy { $0.first == UInt8(ascii: "{") }, "no line has a space before it")
        await client.close()
      }
    }

    @LoopActor private final class Counter {
      nonisolated init() {}
      var count = 0
    }
  }
}
