import Bytes
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct WritingTests {
    /// Fills the kernel's buffers and the queue of `stream` until a writer waits, and gives that writer.
    @LoopActor
    private func stalledWriter(_ stream: SocketStream, _ pieces: [Bytes]) async -> Task<Void, any Error> {
      let writer = Task { @LoopActor in try await stream.write(pieces) }
      while stream.output.writers.isEmpty { await Task.yield() }
      return writer
    }

    @Test func `64 MiB arrive intact`() async throws {
      try await withPair { pair in
        let sent = pattern(64 * 1024 * 1024)
        let (near, far) = (pair.near, pair.far)
        let writer = await self.stalledWriter(near, [sent])
        var position = 0
        while position < sent.count {
          guard try await far.fill() else { break }
          let piece = far.inbound.takeAll()
          #expect(same(piece, sent[position..<position + piece.count]))
          position += piece.count
        }
        try await writer.value
        #expect(position == sent.count && near.output.queuedCount == 0)
      }
    }

    @Test func `waiting writers continue with the reader, in the order of their calls`() async throws {
      try await withPair { pair in
        let (near, far) = (pair.near, pair.far)
        let large = pattern(16 * 1024 * 1024)
        let writer = await self.stalledWriter(near, [large])
        var later: [Task<Void, any Error>] = []
        for index in 0..<UInt8(5) {
          later.append(Task { @LoopActor in try await near.write([Bytes([index]), Bytes([index])]) })
        }
        for _ in 0..<3 { await Task.yield() }
        #expect(near.output.queuedCount > StreamLimits.highWater)
        #expect(same(try await far.read(large.count), large))
        #expect(try await far.read(10) == Bytes([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]))
        try await writer.value
        for task in later { try await task.value }
      }
    }

    @Test func `many pieces in one call arrive in order, more than one system call takes`() async throws {
      try await withPair { pair in
        let (near, far) = (pair.near, pair.far)
        let pieces = (0..<5000).map {
          Bytes([UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)])
        }
        let writer = Task { @LoopActor in try await near.write(pieces) }
        let all = try await far.read(10000)
        #expect(all.count == 10000)
        #expect((0..<5000).allSatisfy { all[2 * $0..<2 * $0 + 2] == pieces[$0] })
        try await writer.value
      }
    }

    @Test func `outputProgress tells whether the peer reads`() async throws {
      try await withPair { pair in
        let (near, far) = (pair.near, pair.far)
        #expect(near.outputProgress == nil)
        let large = pattern(16 * 1024 * 1024)
        let writer = await self.stalledWriter(near, [large])
        // The peer's system takes some of it by itself, until its buffer is full.
        var progress = try #require(near.outputProgress)
        var quietRounds = 0
        while quietRounds < 20 {
          try await EventLoop.sleep(for: .milliseconds(5))
          let now = try #require(near.outputProgress)
          quietRounds = now == progress ? quietRounds + 1 : 0
          progress = now
        }
        #expect(progress < large.count)
        _ = try await far.read(1024 * 1024)
        while near.outputProgress == progress { try await EventLoop.sleep(for: .milliseconds(1)) }
        #expect(try #require(near.outputProgress) > progress)
        _ = try await far.read(15 * 1024 * 1024)
        try await writer.value
        try await near.flush()
        while near.outputProgress != nil { try await EventLoop.sleep(for: .milliseconds(1)) }
      }
    }

    @Test func `flush waits until the operating system has all bytes`() async throws {
      try await withPair { pair in
        let (near, far) = (pair.near, pair.far)
        let large = pattern(16 * 1024 * 1024)
        let writer = await self.stalledWriter(near, [large])
        let flusher = Task { @LoopActor in
          try await near.flush()
          return near.output.queuedCount
        }
        await Task.yield()
        _ = try await far.read(large.count)
        #expect(try await flusher.value == 0)
        try await writer.value
        try await near.flush()
      }
    }

    @Test func `shutdownOutput sends FIN behind all queued bytes`() async throws {
      try await withPair { pair in
        let (near, far) = (pair.near, pair.far)
        let large = pattern(8 * 1024 * 1024)
        let writer = await self.stalledWriter(near, [large])
        let ending = Task { @LoopActor in try await near.shutdownOutput() }
        #expect(same(try await far.read(large.count + 1), large))
        #expect(try await far.fill() == false)
        try await writer.value
        try await ending.value
      }
    }

    @Test
    func
      `a write that is cancelled before the call writes nothing, one that is cancelled while it waits has written all`()
      async throws
    {
      try await withPair { pair in
        let (near, far) = (pair.near, pair.far)
        let before = Task { @LoopActor in
          withUnsafeCurrentTask { $0?.cancel() }
          try await near.write("never")
        }
        await #expect(throws: CancellationError.self) { try await before.value }
        let large = pattern(16 * 1024 * 1024)
        let during = await self.stalledWriter(near, [large])
        during.cancel()
        await #expect(throws: CancellationError.self) { try await during.value }
        let after = Task { @LoopActor in try await near.write("after") }
        #expect(same(try await far.read(large.count), large))
        #expect(try await far.read(5) == "after")
        try await after.value
      }
    }

    @Test func `waiting writers are woken when the stream or the peer closes`() async throws {
      try await withPair { pair in
        let large = pattern(16 * 1024 * 1024)
        let writer = await self.stalledWriter(pair.near, [large])
        await pair.near.close()
        await #expect(throws: UVError.cancelled) { try await writer.value }
      }
      try await withPair { pair in
        let large = pattern(16 * 1024 * 1024)
        let writer = await self.stalledWriter(pair.near, [large])
        pair.far.resetOnClose()
        await pair.far.close()
        await #expect(throws: UVError.self) { try await writer.value }
        #expect(pair.near.output.queuedCount == 0)
      }
    }

    @Test func `the remaining pieces after a partial write`() {
      let pieces: [Bytes] = ["abc", "", "def", "g"]
      #expect(pieces.dropping(first: 0) == ["abc", "def", "g"])
      #expect(pieces.dropping(first: 2) == ["c", "def", "g"])
      #expect(pieces.dropping(first: 3) == ["def", "g"])
      #expect(pieces.dropping(first: 6) == ["g"])
      #expect(pieces.dropping(first: 7) == [])
    }
  }
}
