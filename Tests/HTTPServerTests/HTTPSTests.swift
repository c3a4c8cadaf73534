import Bytes
import Loop
import TestHTTPServer
import TestLoop
import Testing
import Wire

@testable import HTTPServer

extension HTTPServerTests {
  @Suite struct HTTPS {
    private static let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    /// The head of a record of the handshake that has 256 bytes (RFC 8446, section 5.1).
    private static let record = "\u{16}\u{3}\u{1}\u{1}\u{0}"

    /// Runs `body` with a server for https, and the file of the authority that issued its certificate.
    private func withHTTPSServer(
      options: HTTPServerOptions = HTTPServerOptions(),
      handler: @escaping HTTPServer.Handler = { _, response in try await response.send(200, body: "OK") },
      _ body: @escaping @LoopActor (HTTPTestServer, String) async throws -> Void
    ) async throws {
      let authority = try TestAuthority()
      try await withHTTPServer(options: options, identity: authority.identity(), handler: handler) {
        try await body($0, authority.certificate)
      }
    }

    @Test func `requests are answered on one connection`() async throws {
      try await withHTTPSServer { server, authority in
        let client = try await server.connect(trusting: authority)
        for _ in 0..<3 {
          try await client.send(Self.request)
          #expect(try await client.answer().body == "OK")
        }
        await client.close()
      }
    }

    @Test func `a long body goes both ways`() async throws {
      let count = 3_000_000
      try await withHTTPSServer(handler: { request, response in
        var body = ByteBuffer()
        while let piece = try await request.body.next() { body.append(piece) }
        try await response.send(200, body: body.takeAll())
      }) { server, authority in
        let client = try await server.connect(trusting: authority)
        try await client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(count)\r\n\r\n")
        let sending = LoopActor.task { try await client.send(String(repeating: "x", count: count)) }
        let body = try await client.answer(to: "POST").body
        #expect(body.utf8.count == count && body.utf8.allSatisfy { $0 == UInt8(ascii: "x") })
        try await sending.value
        await client.close()
      }
    }

    @Test func `a client without TLS is told`() async throws {
      try await withHTTPSServer { server, _ in
        let answer = try await server.exchange(Self.request)
        #expect(answer.hasPrefix("HTTP/1.1 400 ") && answer.contains("https://"))
        #expect(server.log.all.contains { $0.contains("without TLS") })
      }
    }

    @Test(arguments: ["", record, record + "\u{1}"])
    func `a handshake has a time limit`(_ beginning: String) async throws {
      var options = HTTPServerOptions()
      options.headTimeout = .milliseconds(20)
      try await withHTTPSServer(options: options) { server, _ in
        let client = try await server.connect()
        try await client.send(beginning)
        #expect(try await client.untilClosed() == "")
        await client.close()
        #expect(server.log.all.contains { $0.contains("handshake") && $0.contains("not done after") })
        #expect(!server.log.all.contains { $0.contains("the peer closed") })
      }
    }

    @Test(arguments: ["\u{16}\u{3}\u{1}\u{0}\u{4}nono", "\u{0}\u{1}\u{2}", "\u{80}\u{2e}"])
    func `what is no TLS ends the connection`(_ text: String) async throws {
      try await withHTTPSServer { server, _ in
        let client = try await server.connect()
        try await client.send(text + String(repeating: "\u{0}", count: 64))
        _ = try? await client.untilClosed()
        await client.close()
        while server.server.connectionCount > 0 { await Task.yield() }
        #expect(server.log.all.contains { $0.contains("a TLS handshake failed") })
      }
    }

    @Test func `a server that stops does not wait for handshakes`() async throws {
      try await withHTTPSServer { server, _ in
        let client = try await server.connect()
        try await client.send(Self.record)
        while server.server.connectionCount == 0 { await Task.yield() }
        await server.server.drain()
        while server.server.connectionCount > 0 { await Task.yield() }
        await client.close()
        #expect(!server.log.all.contains { $0.contains("handshake") })
      }
    }

    @Test(arguments: [false, true])
    func `an upload that is cut is incomplete`(byReset: Bool) async throws {
      let (began, failed) = (TestSignal(), TestSignal())
      try await withHTTPSServer(handler: { request, _ in
        let half = try await request.body.next()
        #expect(half == "half")
        began.set()
        await #expect(throws: (any Error).self) { _ = try await request.body.next() }
        failed.set()
      }) { server, authority in
        let client = try await server.connect(trusting: authority)
        try await client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        await began.wait()
        if byReset { client.stream.reset() }
        await client.close()
        await failed.wait()
      }
    }

    @Test func `a client that reads nothing counts as gone`() async throws {
      var options = HTTPServerOptions()
      options.writeTimeout = .milliseconds(20)
      let body = Bytes([UInt8](repeating: 0, count: 1 << 25))
      try await withHTTPSServer(
        options: options, handler: { _, response in try await response.send(200, body: body) }
      ) { server, authority in
        let client = try await server.connect(trusting: authority)
        try await client.send(Self.request)
        while server.server.connectionCount > 0 { try await EventLoop.sleep(for: .milliseconds(1)) }
        #expect(server.log.all.contains { $0.contains("read nothing") })
        await client.close()
      }
    }

    @Test func `handshakes over the limit of connections give way to newer ones`() async throws {
      var options = HTTPServerOptions()
      options.maximumConnections = 1
      options.lingerTimeout = .seconds(1000)
      options.pathServedOverLimit = "/health"
      try await withHTTPSServer(options: options) { server, authority in
        let first = try await server.connect(trusting: authority)
        var silent: [HTTPTestClient] = []
        for _ in 0...HTTPServer.maximumConnectionsOverLimit { silent.append(try await server.connect()) }
        let health = try await server.connect(trusting: authority)
        try await health.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try await health.answer().head.status == 200)
        for client in silent + [first, health] { await client.close() }
      }
    }

    @Test func `a renewed certificate is shown to new connections only`() async throws {
      let (old, new) = (try TestAuthority(), try TestAuthority())
      let files = try old.files()
      let identity = try TLSIdentity(certificate: files.certificate, key: files.key)
      try await withHTTPServer(
        identity: identity, handler: { _, response in try await response.send(200, body: "OK") }
      ) { server async throws in
        let before = try await server.connect(trusting: old.certificate)
        try old.replaceFiles(by: new)
        try await identity.renew()
        await #expect(throws: TLSError.self) { _ = try await server.connect(trusting: old.certificate) }
        let after = try await server.connect(trusting: new.certificate)
        for client in [before, after] {
          try await client.send(Self.request)
          #expect(try await client.answer().body == "OK")
        }
        try old.breakFiles()
        await #expect(throws: TLSError.self) { try await identity.renew() }
        let still = try await server.connect(trusting: new.certificate)
        for client in [before, after, still] { await client.close() }
      }
    }
  }
}
