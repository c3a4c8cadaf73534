import Memory
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct ZeroMQSocketTests {
    @Test func `a message arrives with all its parts, empty ones and tiny ones too`() async throws {
      try await withZeroMQPair { pair in
        let message: [Bytes] = ["", "x", pattern(100), "", pattern(70_000)]
        try await pair.near.send(message)
        #expect(try await pair.far.next() == message)
      }
    }

    @Test func `messages arrive in order, both ways, whoever waits first`() async throws {
      try await withZeroMQPair { pair in
        let echo = Task { @LoopActor in
          for _ in 0..<500 { try await pair.far.send(try await pair.far.next()) }
        }
        for number in 0..<500 { try await pair.near.send([Bytes("\(number)"), "more"]) }
        for number in 0..<500 { #expect(try await pair.near.next() == [Bytes("\(number)"), "more"]) }
        try await echo.value
      }
    }

    @Test func `a large part arrives whole, and slices of it outlive the message`() async throws {
      try await withZeroMQPair { pair in
        let large = pattern(8 << 20)
        try await pair.near.send(["head", large])
        let parts = try await pair.far.next()
        try #require(parts.count == 2)
        #expect(same(parts[1], large))
        // Slices live on when the message is gone.
        let slice = parts[1][1_000_000..<1_000_100]
        #expect(same(slice, large[1_000_000..<1_000_100]))
      }
    }

    @Test func `memory that libzmq sends from is given back when it has left`() async throws {
      final class Watched: ByteStorage, @unchecked Sendable {
        let onEnd: @Sendable () -> Void
        init(_ onEnd: @escaping @Sendable () -> Void) {
          self.onEnd = onEnd
          super.init(capacity: 1 << 20)
          base.initializeMemory(as: UInt8.self, repeating: 7, count: 1 << 20)
        }
        deinit { onEnd() }
      }
      try await withZeroMQPair { pair in
        let end = End()
        try await pair.near.send([Bytes(sharing: Watched { LoopActor.perform { end.hasCome = true } })])
        _ = try await pair.far.next()
        // The sender lets go as soon as the last byte is in the socket, or at the latest when it is closed.
        pair.near.close()
        while !end.hasCome { await Task.yield() }
      }
    }

    @Test func `what nobody asks for waits, and nothing is lost of it`() async throws {
      try await withZeroMQPair(.publisher, .subscriber) { pair in
        try pair.far.subscribe()
        try await untilSubscribed(pair)
        for number in 0..<20_000 { try await pair.near.send([Bytes("\(number)")]) }
        for number in 0..<20_000 { #expect(try await pair.far.next() == [Bytes("\(number)")]) }
      }
    }

    @Test func `a reader with a high-water mark leaves the rest with a sender that has none`() async throws {
      var options = ZeroMQSocket.Options()
      options.receiveHighWaterMark = 8
      try await withZeroMQPair(.publisher, .subscriber, options) { pair in
        try pair.far.subscribe()
        try await untilSubscribed(pair)
        let part = pattern(10_000)
        for number in 0..<1000 { try await pair.near.send([Bytes("\(number)"), part]) }
        for number in 0..<1000 { #expect(try await pair.far.next().first == Bytes("\(number)")) }
      }
    }

    @Test func `a router sends to whom the first part names`() async throws {
      var options = ZeroMQSocket.Options()
      options.identity = "somebody"
      try await withZeroMQPair(.router, .dealer, options) { pair in
        try await pair.far.send(["question"])
        #expect(try await pair.near.next() == ["somebody", "question"])
        try await pair.near.send(["somebody", "answer"])
        #expect(try await pair.far.next() == ["answer"])
      }
    }

    @Test func `sending waits for a peer and goes on when one comes`() async throws {
      try await onLoop {
        let pair = try ZeroMQPair.open(.dealer, .dealer, .init())
        let sending = Task { @LoopActor in try await pair.near.send(["first", "second"]) }
        await Task.yield()
        try await pair.connect()
        #expect(try await pair.far.next() == ["first", "second"])
        try await sending.value
        await pair.close()
        await Task.yield()
      }
    }

    @Test func `a reader that is cancelled loses nothing`() async throws {
      try await withZeroMQPair { pair in
        let reader = Task { @LoopActor in try await pair.far.next() }
        await Task.yield()
        reader.cancel()
        await #expect(throws: CancellationError.self) { try await reader.value }
        try await pair.near.send(["here"])
        #expect(try await pair.far.next() == ["here"])
      }
    }

    @Test func `who waits for a socket that is closed is told`() async throws {
      try await withZeroMQPair { pair in
        let reader = Task { @LoopActor in try await pair.far.next() }
        await Task.yield()
        pair.far.close()
        await #expect(throws: UVError.cancelled) { try await reader.value }
        await #expect(throws: UVError.cancelled) { try await pair.far.send(["x"]) }
        #expect(throws: UVError.cancelled) { try pair.far.connect(to: pair.endpoint) }
      }
    }

    @Test func `closing does not wait for a peer that takes nothing`() async throws {
      try await onLoop {
        let context = try ZeroMQContext()
        let socket = try ZeroMQSocket(.dealer, in: context)
        try socket.connect(to: "ipc:///nonexistent/socket")
        try await socket.send([pattern(1 << 20)])
        await context.close()
        await context.close()
        #expect(throws: UVError.cancelled) { _ = try ZeroMQSocket(.dealer, in: context) }
        await Task.yield()
      }
    }

    @Test func `a monitor tells that the peer came, and that it went after its last words`() async throws {
      try await onLoop {
        let pair = try ZeroMQPair.open(.dealer, .dealer, .init())
        let monitor = try ZeroMQMonitor(of: pair.far, in: pair.context)
        try pair.far.connect(to: pair.endpoint)
        #expect(try await monitor.next() == .connected)
        try await pair.near.send(["last words"])
        #expect(try await pair.far.next() == ["last words"])
        pair.near.close()
        #expect(try await monitor.next() == .disconnected)
        monitor.close()
        await pair.close()
        await Task.yield()
      }
    }

    @Test func `a monitor that is closed holds nobody up, also before what it watched`() async throws {
      try await onLoop {
        for isMonitorFirst in [true, false] {
          let pair = try ZeroMQPair.open(.dealer, .dealer, .init())
          let monitor = try ZeroMQMonitor(of: pair.far, in: pair.context)
          try pair.far.connect(to: pair.endpoint)
          #expect(try await monitor.next() == .connected)
          if isMonitorFirst { monitor.close() } else { pair.far.close() }
          pair.near.close()
          await pair.close()
        }
        await Task.yield()
      }
    }

    @Test func `a flood of messages lets others have their turn`() async throws {
      try await withZeroMQPair { pair in
        for _ in 0..<5000 { try await pair.near.send(["x"]) }
        // All of it has arrived when the last has, so that no read has to wait.
        let turns = Turns()
        let other = Task { @LoopActor in
          while !Task.isCancelled {
            turns.count += 1
            await Task.yield()
          }
        }
        for _ in 0..<5000 { _ = try await pair.far.next() }
        other.cancel()
        // Fewer where the reader had to wait in between.
        #expect(turns.count > 5000 / TurnBudget.messages / 2)
        await other.value
      }
    }

    @LoopActor private final class Turns { var count = 0 }
    @LoopActor private final class End { var hasCome = false }

    /// A publisher tells nobody that it has taken a subscription: asks until it answers, then takes what came.
    @LoopActor private func untilSubscribed(_ pair: ZeroMQPair) async throws {
      var heard = 0
      var sent = 0
      while heard == 0 {
        sent += 1
        try await pair.near.send(["are you there?"])
        while try pair.far.receive() != nil { heard += 1 }
        await Task.yield()
      }
      try await pair.near.send(["that is all"])
      while try await pair.far.next() != ["that is all"] {}
    }
  }
}
