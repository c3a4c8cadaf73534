import Glibc
import Bytes
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct ReadingTests {
    @Test func `what one end writes the other reads, in pieces that are gathered`() async throws {
      try await withPair { pair in
        try await pair.near.write(["Hello", "", ", ", "world"])
        #expect(try await pair.far.read(12) == "Hello, world")
      }
    }

    @Test func `an orderly end comes after all that was sent, and stays`() async throws {
      try await withPair { pair in
        try await pair.near.write("last words")
        try await pair.near.shutdownOutput()
        #expect(try await pair.far.read(100) == "last words")
        #expect(try await pair.far.fill() == false)
        #expect(try await pair.far.fill() == false)
        #expect(pair.far.isPeerGone)
        // The other direction still works.
        try await pair.far.write("still here")
        #expect(try await pair.near.read(10) == "still here")
      }
    }

    @Test func `memory is held only while there are bytes`() async throws {
      try await withPair { pair in
        try await pair.near.write("x")
        _ = try await pair.far.read(1)
        let tail = pair.far.inbound.withFreeTail { $0.count }
        #expect(tail == 0)
      }
    }

    @Test func `fill returns at once for bytes that came while no task waited`() async throws {
      try await withPair { pair in
        try await pair.near.write("a")
        _ = try await pair.far.fill()
        try await pair.near.write("b")
        while pair.far.inbound.count < 2 { await Task.yield() }
        #expect(try await pair.far.fill())
        #expect(pair.far.inbound.takeAll() == "ab")
      }
    }

    @Test func `a reader can be woken without new bytes, before and while it waits`() async throws {
      try await withPair { pair in
        let far = pair.far
        let waiting = Task { @LoopActor in try await far.fill() }
        await Task.yield()
        far.wakeReader()
        #expect(try await waiting.value && far.inbound.isEmpty)
        far.wakeReader()
        #expect(try await far.fill() && far.inbound.isEmpty)
        try await pair.near.write("a")
        #expect(try await far.read(1) == "a")
      }
    }

    @Test func `a fill that is cancelled before and while it waits loses nothing`() async throws {
      try await withPair { pair in
        let far = pair.far
        let before = Task { @LoopActor in
          withUnsafeCurrentTask { $0?.cancel() }
          return try await far.fill()
        }
        await #expect(throws: CancellationError.self) { try await before.value }
        let during = Task { @LoopActor in try await far.fill() }
        await Task.yield()
        during.cancel()
        await #expect(throws: CancellationError.self) { try await during.value }
        try await pair.near.write("here")
        #expect(try await far.read(4) == "here")
      }
    }

    @Test func `a fill whose stream is closed throws cancelled`() async throws {
      try await withPair { pair in
        let far = pair.far
        let reader = Task { @LoopActor in try await far.fill() }
        await Task.yield()
        await far.close()
        await #expect(throws: UVError.cancelled) { try await reader.value }
        await #expect(throws: UVError.cancelled) { try await far.fill() }
        await #expect(throws: UVError.cancelled) { try await far.write("x") }
        await #expect(throws: UVError.cancelled) { try await far.flush() }
        await far.close()
        #expect(far.peerAddress == nil)
      }
    }

    @Test func `a large prepared frame is read without being moved`() async throws {
      try await withPair { pair in
        let count = 64 * 1024 * 1024
        let sent = pattern(count)
        let (near, far) = (pair.near, pair.far)
        let writer = Task { @LoopActor in try await near.write([sent, "tail"]) }
        _ = try await far.fill()
        far.prepare(forTotal: count)
        let place = far.inbound.readable.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        while far.inbound.count < count { guard try await far.fill() else { break } }
        #expect(far.inbound.readable.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) } == place)
        #expect(same(far.inbound.take(count), sent))
        #expect(try await far.read(4) == "tail")
        try await writer.value
      }
    }

    @Test func `a reader that has prepared for a frame is woken once, when it is complete`()
      async throws
    {
      try await withPair { pair in
        let (near, far) = (pair.near, pair.far)
        for count in [1000, 100_000, 5_000_000] {
          let sent = pattern(count)
          try await near.write([sent[0..<10]])
          _ = try await far.fill()
          far.prepare(forTotal: count)
          let writer = Task { @LoopActor in try await near.write([sent[10...]]) }
          #expect(try await far.fill())
          #expect(same(far.inbound.take(count), sent))
          try await writer.value
        }
        try await near.write("less")
        #expect(try await far.fill())
        #expect(far.inbound.takeAll() == "less")
      }
    }

    @Test func `a reader that has prepared for a frame that never comes is woken by the end`() async throws {
      try await withPair { pair in
        let (near, far) = (pair.near, pair.far)
        try await near.write("begin")
        _ = try await far.fill()
        far.prepare(forTotal: 1000)
        try await near.write("ning")
        try await near.shutdownOutput()
        #expect(try await !far.fill())
        #expect(far.inbound.takeAll() == "beginning")
      }
    }

    @Test func `reading stops at the limit, so that a stalled reader stops the writer`() async throws {
      try await withPair { pair in
        let (near, far) = (pair.near, pair.far)
        let piece = pattern(1024 * 1024)
        var written = 0
        let writer = Task { @LoopActor in
          for _ in 0..<64 {
            try await near.write([piece])
            written += 1
          }
        }
        _ = try await far.fill()
        // The kernel's buffers take some; then nothing moves any more.
        var last = -1
        while last != written || far.input.isReading {
          last = written
          for _ in 0..<50 { await Task.yield() }
        }
        #expect(written < 64)
        #expect(far.inbound.count >= StreamLimits.readAhead && far.inbound.count < 2 * StreamLimits.readAhead)
        for _ in 0..<64 { #expect(same(try await far.read(piece.count), piece)) }
        try await writer.value
        #expect(written == 64)
      }
    }

    @Test func `more than the limit is read while a task waits for more, and no longer`() async throws {
      try await withPair { pair in
        let (near, far) = (pair.near, pair.far)
        let writer = Task { @LoopActor in try await near.write([pattern(64 * 1024 * 1024)]) }
        while far.inbound.count < 4 * StreamLimits.readAhead { _ = try await far.fill() }
        let reader = Task { @LoopActor in while try await far.fill() {} }
        await Task.yield()
        reader.cancel()
        await #expect(throws: CancellationError.self) { try await reader.value }
        while far.input.isReading { await Task.yield() }
        near.abort()
        _ = await writer.result
      }
    }

    @Test func `a reset is an error, after the bytes that came before it`() async throws {
      try await withPair { pair in
        let far = pair.far
        let watcher = Task { @LoopActor in await far.untilPeerIsGone() }
        try await pair.near.write("before")
        pair.near.resetOnClose()
        pair.near.abort()
        await watcher.value
        #expect(far.isPeerGone)
        await #expect(throws: UVError.connectionReset) {
          while try await far.fill() {}
        }
        #expect(far.inbound.readable == "before")
        await #expect(throws: UVError.self) {
          for _ in 0..<3 { try await far.write("nobody is there") }
        }
      }
    }

    @Test(arguments: [SocketKind.tcp, .local])
    func `hasLostOutput tells whether the peer has closed with unread bytes`(kind: SocketKind)
      async throws
    {
      for isRead in [true, false] {
        try await withPair(kind == .tcp ? SocketPair.tcp : SocketPair.local) { pair in
          try await pair.far.write("a request")
          if isRead { #expect(try await pair.near.read(9) == "a request") }
          pair.near.abort()
          await pair.far.untilPeerIsGone()
          #expect(pair.far.hasLostOutput == !isRead)
        }
      }
    }

    @Test func `a peer that closes is noticed while no task reads`() async throws {
      try await withPair { pair in
        let far = pair.far
        let watcher = Task { @LoopActor in await far.untilPeerIsGone() }
        await Task.yield()
        try await pair.near.write("some bytes do not count")
        while far.inbound.isEmpty { await Task.yield() }
        #expect(!far.isPeerGone)
        await pair.near.close()
        await watcher.value
        #expect(far.isPeerGone)
      }
    }

    @Test func `watching for a peer's end can be cancelled and ends with the stream`() async throws {
      try await withPair { pair in
        let (near, far) = (pair.near, pair.far)
        let cancelled = Task { @LoopActor in await far.untilPeerIsGone() }
        let closed = Task { @LoopActor in await near.untilPeerIsGone() }
        await Task.yield()
        cancelled.cancel()
        await cancelled.value
        #expect(!far.isPeerGone)
        near.abort()
        await closed.value
      }
    }
  }
}

extension SocketStream {
  /// Makes the kernel send a reset instead of an orderly end.
  func resetOnClose() {
    guard let descriptor else { return }
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }
}
