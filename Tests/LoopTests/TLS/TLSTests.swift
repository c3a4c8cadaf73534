import Glibc
import Bytes
import TestLoop
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

    @Test func `A server takes a FIN without close_notify for the end, and answers`() async throws {
      try await withSecurePair { near, far in
        try await far.write("last")
        try await far.flush()
        try await far.transport.shutdownOutput()
        #expect(try await near.read(10) == "last")
        #expect(try await near.fill() == false)
        #expect(near.isPeerGone)
        await near.untilPeerIsGone()
        try await near.write("answer")
      }
    }

    @Test func `A server that breaks off sends no close_notify`() async throws {
      try await withSecurePair { near, far in
        try await near.write("part")
        try await near.flush()
        near.abort()
        #expect(try await far.read(4) == "part")
        await #expect(throws: (any Error).self) { try await far.fill() }
      }
    }

    @Test func `A watcher notices close_notify without FIN, and loses no bytes`() async throws {
      try await withSecurePair { near, far in
        let watcher = Task { @LoopActor in await near.untilPeerIsGone() }
        try await far.write("sent before")
        try await far.flush()
        await until { near.inbound.count == 11 }
        #expect(!near.isPeerGone)
        far.engine.end()
        try far.sendRecords()
        await watcher.value
        #expect(near.isPeerGone && !near.transport.isPeerGone)
        #expect(try await near.read(20) == "sent before")
        #expect(try await near.fill() == false)
      }
    }

    @Test func `A reader can be woken, and then reads on`() async throws {
      try await withSecurePair { near, far in
        let reader = Task { @LoopActor in try await near.fill() }
        await Task.yield()
        near.wakeReader()
        #expect(try await reader.value && near.inbound.isEmpty)
        try await far.write("more")
        #expect(try await near.read(4) == "more")
      }
    }

    @Test func `A peer that is not read has to wait, and so has one that does not read`() async throws {
      let large = pattern(40_000_000)
      try await withSecurePair { near, far in
        let writer = Task { @LoopActor in try await near.write([large]) }
        await until { far.inbound.count > 0 || far.transport.outputProgress == nil }
        // As much as both ends and the system hold, and no more.
        await until {
          near.output.waitingCount > 0 && near.transport.output.queuedCount >= StreamLimits.highWater
        }
        #expect(near.output.waitingCount > 20_000_000)
        var received = 0
        var isSame = true
        while received < large.count {
          guard try await far.fill() else { break }
          #expect(far.inbound.count <= StreamLimits.readAhead + StreamLimits.largestRead)
          let piece = far.inbound.takeAll()
          isSame = isSame && same(piece, large[received..<(received + piece.count)])
          received += piece.count
        }
        #expect(received == large.count && isSame)
        try await writer.value
        #expect(near.output.waiting.isEmpty)
      }
    }

    @Test func `Memory of records is free while nothing is sent`() async throws {
      try await withSecurePair { near, far in
        for _ in 0..<3 {
          try await near.write([pattern(1_000_000)])
          _ = try await far.read(1_000_000)
        }
        try await near.flush()
        #expect(near.engine.isAtRest && far.engine.isAtRest)
      }
    }

    @Test func `Keys are renewed while both sides send`() async throws {
      try await withSecurePair { near, far in
        for index in 0..<3 {
          (index == 1 ? near : far).engine.renewKeys()
          try await far.write("to the server")
          #expect(try await near.read(13) == "to the server")
          try await near.write("to the client")
          #expect(try await far.read(13) == "to the client")
        }
      }
    }

    @Test func `A server's certificate and key are checked when they are read`() throws {
      let authority = try TestAuthority()
      let files = try authority.files()
      let other = try TestAuthority()
      let nonsense = try authority.nonsense()
      let encrypted = try authority.encryptedKey()
      #expect(throws: TLSError.encryptedKey(encrypted)) {
        try TLSIdentity(certificate: files.certificate, key: encrypted)
      }
      let otherKey = try other.files().key
      #expect(throws: TLSError.mismatchedKey(otherKey, files.certificate)) {
        try TLSIdentity(certificate: files.certificate, key: otherKey)
      }
      #expect(throws: TLSError.unusableCertificate("/nothing", "No such file or directory")) {
        try TLSIdentity(certificate: "/nothing", key: files.key)
      }
      #expect(throws: TLSError.unusableKey("/nothing", "No such file or directory")) {
        try TLSIdentity(certificate: files.certificate, key: "/nothing")
      }
      for (certificate, key) in [
        (nonsense, files.key), (files.certificate, nonsense), (files.certificate, files.certificate),
      ] {
        #expect(throws: TLSError.self) { try TLSIdentity(certificate: certificate, key: key) }
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
      let identity = try authority.identity(for: Self.names, days: days)
      let certificate = authority.certificate
      return try await onLoop {
        let pair = try await SocketPair.tcp()
        let server = try TLSStream.server(over: pair.near, identity)
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
      let identity = try authority.identity(for: Self.names)
      let certificate = authority.certificate
      try await withPair { pair in
        let near = try TLSStream.server(over: pair.near, identity)
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
