import Bytes
import HTTPServer
import Logging
import Loop
import TestHTTPServer
import TestLoop
import Testing
import Wire

@testable import Server

extension ServerTests {
  @Suite struct LineStreams {
    private static let end = NDJSONEncoder.line(.end)

    /// Runs `body` with a server whose only resource is the lines of a journal.
    private static func withLines(
      after line: Int = 0, follows: Bool = true, capacity: Int64 = 1 << 30,
      beforeSending: @escaping @LoopActor @Sendable (Journal) async -> Void = { _ in },
      _ body: @escaping @LoopActor (Journal, HTTPTestServer) async throws -> Void
    ) async throws {
      TestLoop.start()
      let lines = await Lines(capacity: capacity)
      try await withHTTPServer(handler: { _, writer in
        let stream = LineStream(lines.resource, lines.journal, follows: follows, writer: writer)
        await beforeSending(lines.journal)
        try await stream.send(after: line)
      }) { server in
        try await body(lines.journal, server)
      }
    }

    @LoopActor
    private final class Lines {
      let journal: Journal
      let resource: ExecutionResource

      init(capacity: Int64) {
        journal = Journal(
          capacity: capacity, directory: TemporaryDirectory.parent, account: JournalAccount(),
          logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let record = ExecutionRecord(identifier: "name", contextIdentifier: "context", language: "python")
        resource = ExecutionResource(record, number: 1, journal: journal)
      }
    }

    private static func request(_ method: String = "GET") -> String {
      "\(method) / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    }

    @Test func `without following, lines that come while others are sent are left out`() async throws {
      try await Self.withLines(follows: false, beforeSending: { await $0.append(["late\n"]) }) {
        journal, server in
        await journal.append(["first\n"])
        let client = try await server.connect()
        try await client.send(Self.request())
        #expect(try await client.answer().body == "first\n")
        await client.close()
      }
    }

    @Test func `a request for the head alone waits for no line`() async throws {
      try await Self.withLines(after: 5) { _, server in
        let client = try await server.connect()
        for _ in 0..<2 {
          try await client.send(Self.request("HEAD"))
          #expect(try await client.answer(to: "HEAD").head.status == 200)
        }
        await client.close()
      }
    }

    @Test func `a client that sends nothing more gets all lines of an execution that has ended`() async throws
    {
      try await Self.withLines { journal, server in
        for _ in 0..<100 { await journal.append([Bytes(String(repeating: "x", count: 99_999)), "\n"]) }
        await journal.append(Self.end)
        journal.complete()
        let client = try await server.connect()
        try await client.send(Self.request())
        try await client.stream.shutdownOutput()
        let body = try await client.answer().body
        #expect(body.utf8.count == journal.endOffset && body.hasSuffix(String(Bytes.join(Self.end))))
        await client.close()
      }
    }

    @Test func `what is in the file of an execution that has ended is sent as it was written`() async throws {
      // The circle is longer than a part, and is full.
      try await Self.withLines(after: 700, capacity: 9 << 20) { journal, server in
        let lines = (0..<1000).map { Bytes("\($0) " + String(repeating: "x", count: 20_000) + "\n") }
        for line in lines { await journal.append([line]) }
        #expect(journal.settledPart(from: journal.startOffset, to: .max) == nil)
        journal.complete()
        while !journal.isSettled { try await EventLoop.sleep(for: .milliseconds(1)) }
        #expect(journal.firstLine < 700 && journal.firstLine > 400)
        let part = try #require(journal.settledPart(from: journal.startOffset, to: .max))
        #expect(part.count > 0 && part.count <= Journal.partLength)
        #expect(journal.settledPart(from: journal.startOffset, to: journal.startOffset + 7)?.count == 7)
        for _ in 0..<2 {
          let client = try await server.connect()
          try await client.send(Self.request())
          #expect(Bytes(try await client.answer().body) == Bytes.join(Array(lines[700...])))
          await client.close()
        }
      }
    }

    @Test func `a body that ends before the last line does not look complete`() async throws {
      try await Self.withLines { journal, server in
        await journal.append(["first\n"])
        let client = try await server.connect()
        try await client.send(Self.request())
        try await client.stream.shutdownOutput()
        await #expect(throws: (any Error).self) { try await client.answer() }
        await client.close()
      }
    }

    @Test func `a reader whose line is dropped before it could be sent is told`() async throws {
      try await Self.withLines(after: 1, capacity: 1 << 20) { journal, server in
        let client = try await server.connect()
        try await client.send(Self.request())
        // The head: the reader waits.
        #expect(try await client.event() != nil)
        await journal.append(["0\n"])
        await journal.append(["1\n"])
        await journal.append([Bytes(String(repeating: "x", count: 2 << 20)), "\n"])
        var body = ""
        while case .body(let bytes)? = try await client.event() { body += String(bytes) }
        #expect(body.contains("OutputNotKept") && body.hasSuffix(String(Bytes.join(Self.end))))
        await client.close()
      }
    }
  }
}
