import Glibc
import Bytes
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct ConnectionTests {
    @Test func `both ends know their addresses, and small writes are not delayed`() async throws {
      try await withPair { pair in
        #expect(pair.far.peerAddress == pair.near.localAddress)
        #expect(pair.near.peerAddress == pair.far.localAddress)
        #expect(pair.near.peerAddress?.host == "127.0.0.1")
        for stream in [pair.near, pair.far] {
          #expect(stream.option(TCP_NODELAY, at: CInt(IPPROTO_TCP)) != 0)
        }
        #expect(pair.near.option(SO_KEEPALIVE, at: SOL_SOCKET) != 0)
      }
    }

    @Test func `TCP_QUICKACK is set again after each read`() async throws {
      try await withPair { pair in
        pair.far.quickAcknowledge = true
        for _ in 0..<3 {
          pair.far.clearQuickAcknowledge()
          #expect(pair.far.option(TCP_QUICKACK, at: CInt(IPPROTO_TCP)) == 0)
          try await pair.near.write("x")
          _ = try await pair.far.read(1)
          #expect(pair.far.option(TCP_QUICKACK, at: CInt(IPPROTO_TCP)) != 0)
        }
      }
    }

    @Test func `a stream with paused input reads nothing until a task waits for it`() async throws {
      try await withPair { pair in
        try await pair.near.write("one")
        #expect(try await pair.far.fill())
        pair.far.pauseInput()
        #expect(!pair.far.input.isReading)
        try await pair.near.write("two")
        try await pair.near.flush()
        #expect(String(pair.far.inbound.takeAll()) == "one")
        #expect(try await pair.far.read(3) == "two")
        await pair.far.close()
        pair.far.pauseInput()
      }
    }

    @Test func `a name is resolved and all its addresses are tried`() async throws {
      try await onLoop {
        // localhost may be ::1 first, where nobody listens.
        let listener = try await Listener.bind(host: "127.0.0.1", port: 0)
        let port = try #require(listener.localAddress?.port)
        let stream = try await SocketStream.connect(
          host: "localhost", port: port, timeout: .seconds(10), quickAcknowledge: true)
        #expect(stream.quickAcknowledge)
        await stream.close()
        await listener.close()
      }
    }

    @Test func `IPv6 works if the machine has it`() async throws {
      try await onLoop {
        guard let listener = try? await Listener.bind(host: "::1", port: 0) else { return }
        let address = try #require(listener.localAddress)
        #expect(address.host == "::1" && address.description == "[::1]:\(address.port)")
        let stream = try await SocketStream.connect(host: "::1", port: address.port, timeout: .seconds(10))
        let accepted = try await listener.accept()
        #expect(accepted.peerAddress == stream.localAddress)
        await accepted.close()
        await stream.close()
        await listener.close()
      }
    }

    @Test func `unknown and invalid host names are errors`() async throws {
      try await onLoop {
        await #expect(throws: UVError.self) {
          try await SocketStream.connect(host: "no-such-host.invalid", port: 1, timeout: .seconds(10))
        }
        for host in ["", "a\0b"] {
          await #expect(throws: UVError.invalidArgument) {
            try await SocketStream.connect(host: host, port: 1, timeout: .seconds(10))
          }
        }
      }
    }

    @Test func `a refused connection throws connectionRefused`() async throws {
      try await onLoop {
        let closed = try ClosedPort()
        await #expect(throws: UVError.connectionRefused) {
          try await SocketStream.connect(host: "127.0.0.1", port: closed.number, timeout: .seconds(10))
        }
        closed.free()
      }
    }

    @Test func `connecting to a host that does not answer times out, or is cancelled`() async throws {
      try await onLoop {
        let silent = try await SilentPeer()
        let port = silent.port
        await #expect(throws: UVError.timedOut) {
          try await SocketStream.connect(host: "127.0.0.1", port: port, timeout: .milliseconds(10))
        }
        let during = Task { @LoopActor in
          try await SocketStream.connect(host: "127.0.0.1", port: port, timeout: .seconds(1000))
        }
        for _ in 0..<3 { await Task.yield() }
        during.cancel()
        await #expect(throws: CancellationError.self) { try await during.value }
        let before = Task { @LoopActor in
          withUnsafeCurrentTask { $0?.cancel() }
          return try await SocketStream.connect(host: "localhost", port: port, timeout: .seconds(1000))
        }
        await #expect(throws: CancellationError.self) { try await before.value }
        await silent.close()
      }
    }

    @Test func `a cancelled name resolution ends by itself`() async throws {
      try await onLoop {
        // It begins at once, and no answer can be seen before this task suspends.
        let task = Task.immediate { @LoopActor in try await Resolver.addresses(of: "localhost", port: 1) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
      }
    }

    @Test(arguments: ["127.0.0.1", "0.0.0.0", "::", "::1", "::ffff:127.0.0.1", "fe80::1"])
    func `numeric addresses need no name resolution`(host: String) throws {
      let native = try #require(NativeAddress(digits: host, port: 80))
      let address = try #require(SocketAddress(native))
      #expect(address.host == host && address.port == 80)
      #expect(NativeAddress(digits: "localhost", port: 80) == nil)
    }
  }
}

extension SocketStream {
  func option(_ option: CInt, at level: CInt) -> CInt? {
    guard let descriptor else { return nil }
    var value: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    return getsockopt(descriptor, level, option, &value, &size) == 0 ? value : nil
  }
}

extension SocketStream {
  func clearQuickAcknowledge() {
    guard let descriptor else { return }
    var value: CInt = 0
    setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_QUICKACK, &value, socklen_t(MemoryLayout<CInt>.size))
  }
}

/// A port without a listener, which no other test can get meanwhile.
private struct ClosedPort {
  let number: UInt16
  private let descriptor: CInt

  init() throws {
    descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 ? getsockname(descriptor, $0, &size) : -1
      }
    }
    try #require(status == 0)
    number = UInt16(bigEndian: address.sin_port)
  }

  func free() { close(descriptor) }
}

/// A listener with a full backlog, so that Linux ignores further connections.
@LoopActor
private struct SilentPeer {
  let listener: Listener
  let port: UInt16
  private var queued: [SocketStream] = []

  init() async throws {
    listener = try await Listener.bind(host: "127.0.0.1", port: 0, backlog: 0)
    port = try #require(listener.localAddress?.port)
    while let stream = try? await SocketStream.connect(
      host: "127.0.0.1", port: port, timeout: .milliseconds(50))
    { queued.append(stream) }
  }

  func close() async {
    for stream in queued { await stream.close() }
    await listener.close()
  }
}
