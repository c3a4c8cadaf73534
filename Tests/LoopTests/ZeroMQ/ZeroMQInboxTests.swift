import Memory
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct ZeroMQInboxTests {
    @Test func `messages of several sockets come one after the other, and a flood in one keeps none waiting`()
      async throws
    {
      try await onLoop {
        let first = try ZeroMQPair.open(.pair, .pair, .init())
        let second = try ZeroMQPair.open(.pair, .pair, .init())
        try await first.connect()
        try await second.connect()
        let inbox = ZeroMQInbox([first.far, second.far])
        for _ in 0..<1000 { try await first.near.send(["flood"]) }
        try await second.near.send(["drop"])
        var sources: [Int] = []
        while sources.count < 1001 {
          guard let message = try await inbox.receive() else {
            try await inbox.untilReadable()
            continue
          }
          sources.append(message.source)
        }
        #expect(sources.count(where: { $0 == 1 }) == 1)
        await first.close()
        await second.close()
        await Task.yield()
      }
    }

    @Test func `of what is there the first socket's comes first`() async throws {
      try await onLoop {
        let first = try ZeroMQPair.open(.pair, .pair, .init())
        let second = try ZeroMQPair.open(.pair, .pair, .init())
        try await first.connect()
        try await second.connect()
        try await second.near.send(["reply"])
        try await first.near.send(["output"])
        // Both are there when each socket has said so.
        while !first.far.isReadable || !second.far.isReadable { await Task.yield() }
        let inbox = ZeroMQInbox([first.far, second.far])
        #expect(try await inbox.receive()?.parts == ["output"])
        #expect(try await inbox.receive()?.parts == ["reply"])
        #expect(try await inbox.receive()?.parts == nil)
        await first.close()
        await second.close()
        await Task.yield()
      }
    }

    @Test func `who waits can be woken, and a socket that is closed ends the wait`() async throws {
      try await withZeroMQPair { pair in
        let inbox = ZeroMQInbox([pair.far])
        let waiting = Task { @LoopActor in try await inbox.untilReadable() }
        await Task.yield()
        inbox.wake()
        try await waiting.value
        let reading = Task { @LoopActor in
          while true {
            if let message = try await inbox.receive() { return message.parts }
            try await inbox.untilReadable()
          }
        }
        await Task.yield()
        pair.far.close()
        await #expect(throws: UVError.cancelled) { try await reading.value }
      }
    }
  }
}
