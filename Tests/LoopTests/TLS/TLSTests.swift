import Glibc
import Bytes
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct TLS {
    @Test func `Bytes are sent both ways over a connection to the right host`() async throws {
      try await withSecurePair { near, far in
        try await far.write("GET / HTTP/1.1\r\n")
        #expect(try await near.read(16) == "GET / HTTP/1.1\r\n")
        try await near.write([Bytes("one "), Bytes(), Bytes("two")])
        #expect(try await far.read(7) == "one two")
        #expect(!far.isPeerGone)
      }
    }

    @Test(arguments: ["127.0.0.1", "::1", "localhost.", "LOCALHOST", "a.test.example"])
    func `Host names and IP addresses are verified against the certificate`(host: String) async throws {
      try await withSecurePair(host: host) { near, far in
        try await near.write("hello")
        #expect(try await far.read(5) == "hello")
      }
    }

    @Test(arguments: ["example.org", "127.0.0.2", "a.b.test.example", "test.example", "localhost.example"])
    func `Another host's certificate is refused`(host: String) async throws {
      try await expect(.wrongHost(host), host: host)
    }

    @Test(arguments: ["", "."])
    func `A text that is not a host name is refused`(host: String) async throws {
      try await expect(.handshakeFailed("'\(host)' is not a host name"), host: host)
    }

    @Test func `An expired certificate is refused`() async throws {
      try await expect(.certificateNotValidNow("certificate has expired"), days: -1)
    }

    @Test func `A certificate of an untrusted authority is refused`() async throws {
      let other = try TestAuthority()
      for trust in [TLSTrust.system, .file(other.certificate)] {
        let error = try await failure(trust: trust)
        guard case .untrustedCertificate(let reason) = error else {
          Issue.record("\(String(describing: error))")
          return
        }
        #expect(!reason.isEmpty)
      }
    }

    @Test func `A file without certificates is an error that names the file`() async throws {
      for path in ["/nothing/here.pem", "/etc/passwd"] {
        let reason = path == "/etc/passwd" ? "no certificate or crl found" : "No such file or directory"
        #expect(try await failure(trust: .file(path)) == .unusableTrust(path, reason))
      }
    }

    @Test
    func `The handshake fails and closes the stream if the peer does not speak TLS or closes the connection`()
      async throws
    {
      try await withPair { pair in
        try await pair.near.write("HTTP/1.1 400 Bad Request\r\n\r\n")
        await #expect(throws: TLSError.handshakeFailed("wrong version number")) {
          try await TLSStream.client(over: pair.far, serverName: "localhost")
        }
        await #expect(throws: UVError.cancelled) { try await pair.far.write("x") }
      }
      try await withPair { pair in
        try await pair.near.shutdownOutput()
        await #expect(throws: TLSError.handshakeFailed("the peer closed the connection")) {
          try await TLSStream.client(over: pair.far, serverName: "localhost")
        }
      }
    }

    @Test func `A handshake that waits for the peer can be cancelled`() async throws {
      try await withPair { pair in
        let client = Task { @LoopActor in
          _ = try await TLSStream.client(over: pair.far, serverName: "localhost")
        }
        _ = try await pair.near.fill()
        client.cancel()
        await #expect(throws: CancellationError.self) { try await client.value }
      }
    }

    @Test
    func `A large message arrives in its prepared memory, and the writes of many tasks keep their order`()
      async throws
    {
      let large = pattern(3_000_000)
      try await withSecurePair { near, far in
        far.prepare(forTotal: large.count)
        let writers = (0..<30).map { index in
          Task { @LoopActor in
            try await near.write([large[(index * 100_000)..<((index + 1) * 100_000)]])
          }
        }
        #expect(same(try await far.read(large.count), large))
        for writer in writers { try await writer.value }
      }
    }

    @Test func `A writer that is cancelled has written all or nothing`() async throws {
      let large = pattern(500_000)
      try await withSecurePair { near, far in
        let reader = Task { @LoopActor in
          var count = 0
          while try await far.fill() { count += far.inbound.takeAll().count }
          return count
        }
        let writers = (0..<8).map { _ in Task { @LoopActor in try await near.write([large]) } }
        await Task.yield()
        for writer in writers { writer.cancel() }
        for writer in writers { _ = try? await writer.value }
        try await near.write("end")
        try await near.shutdownOutput()
        #expect(try await reader.value % large.count == 3)
      }
    }

    @Test func `An end with close_notify is the end; one without is an error`() async throws {
      try await withSecurePair { near, far in
        try await near.write("last")
        try await near.shutdownOutput()
        #expect(try await far.read(10) == "last")
        #expect(try await far.fill() == false)
        #expect(far.isPeerGone)
        try await far.write("still here")
        #expect(try await near.read(10) == "still here")
      }
      try await withSecurePair { near, far in
        try await near.write("last")
        try await near.flush()
        try await near.transport.shutdownOutput()
        #expect(try await far.read(4) == "last")
        await #expect(throws: TLSError.truncated) { try await far.fill() }
        await #expect(throws: TLSError.truncated) { try await far.fill() }
      }
    }

    @Test func `Closing sends close_notify, and later calls throw cancelled`() async throws {
      try await withSecurePair { near, far in
        await near.close()
        let hasMore = try await far.fill()
        #expect(!hasMore)
        await far.untilPeerIsGone()
        await #expect(throws: UVError.cancelled) { try await near.fill() }
        await #expect(throws: UVError.cancelled) { try await near.write("x") }
        await near.close()
      }
    }

    @Test func `Altered bytes are an error`() async throws {
      try await withSecurePair { near, far in
        try await near.transport.write([Bytes([23, 3, 3, 0, 32] + Array(repeating: 7, count: 32))])
        await #expect(throws: TLSError.protocolViolation("decryption failed or bad record mac")) {
          try await far.fill()
        }
        await #expect(throws: TLSError.self) { try await far.write("x") }
      }
    }

    // MARK: -

    private static let names = "DNS:localhost,DNS:*.test.example,IP:127.0.0.1,IP:::1"

    private func expect(_ error: TLSError, host: String = "localhost", days: Int = 2) async throws {
      #expect(try await failure(host: host, days: days) == error)
    }

    /// The client's error, where only the client has a reason to object.
    private func failure(
      host: String = "localhost", days: Int = 2, trust: TLSTrust? = nil
    ) async throws -> TLSError? {
      let authority = try TestAuthority()
      let context = try authority.server(for: Self.names, days: days)
      let certificate = authority.certificate
      return try await onLoop {
        let pair = try await SocketPair.tcp()
        let server = TLSStream(try TLSEngine(server: context), over: pair.near)
        let serving = Task { @LoopActor in try? await server.handshake() }
        var error: TLSError?
        do {
          let client = try await TLSStream.client(
            over: pair.far, serverName: host, trust: trust ?? .file(certificate))
          await client.close()
        } catch let failure as TLSError {
          error = failure
        }
        await serving.value
        await pair.close()
        return error
      }
    }

    private func withSecurePair(
      host: String = "localhost", _ body: @escaping @LoopActor (TLSStream, TLSStream) async throws -> Void
    ) async throws {
      let authority = try TestAuthority()
      let context = try authority.server(for: Self.names)
      let certificate = authority.certificate
      try await withPair { pair in
        let near = TLSStream(try TLSEngine(server: context), over: pair.near)
        let accepting = Task { @LoopActor in try await near.handshake() }
        let far = try await TLSStream.client(over: pair.far, serverName: host, trust: .file(certificate))
        try await accepting.value
        try await body(near, far)
        await far.close()
        await near.close()
      }
    }
  }
}
