import Bytes
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct SelectorTests {
    @Test func `an event of any stream ends the wait`() async throws {
      try await withPair { first in
        let second = try await SocketPair.tcp()
        let selector = Selector([first.near, second.near])
        for pair in [second, first, second] {
          try await pair.far.write("x")
          try await selector.wait()
          #expect(pair.near.inbound.takeAll() == "x")
        }
        await second.close()
      }
    }

    @Test func `an event before the wait ends it, once`() async throws {
      try await withPair { pair in
        let selector = Selector([pair.near])
        try await pair.far.write("early")
        // To watch a stream is to read from it.
        while pair.near.inbound.isEmpty {
          selector.wake()
          try await selector.wait()
          await Task.yield()
        }
        let waiting = Task { @LoopActor in try await selector.wait() }
        await Task.yield()
        waiting.cancel()
        // Either the wait had an event left, or it was cancelled; the next has none.
        _ = try? await waiting.value
        let another = Task { @LoopActor in try await selector.wait() }
        await Task.yield()
        another.cancel()
        await #expect(throws: CancellationError.self) { try await another.value }
        #expect(pair.near.inbound.takeAll() == "early")
      }
    }

    @Test func `the end of a stream counts as an event until the stream is removed`() async throws {
      try await withPair { pair in
        let selector = Selector([pair.near])
        try await pair.far.write("last words")
        await pair.far.close()
        while !pair.near.isInputAtEnd { try await selector.wait() }
        #expect(pair.near.inbound.takeAll() == "last words")
        try await selector.wait()
        selector.remove(pair.near)
        let waiting = Task { @LoopActor in try await selector.wait() }
        await Task.yield()
        selector.wake()
        try await waiting.value
      }
    }

    @Test func `a stream that is closed ends the wait`() async throws {
      try await withPair { pair in
        let selector = Selector([pair.near])
        let waiting = Task { @LoopActor in try await selector.wait() }
        await Task.yield()
        pair.near.abort()
        try await waiting.value
        #expect(pair.near.isInputAtEnd)
      }
    }
  }
}
