import Loop
import TestLoop
import Testing

@testable import Jupyter

@Suite struct CachedValueTests {
  private struct Failure: Error {}

  @Test func `a cached value is computed once`() async throws {
    try await TestLoop.run {
      let counter = Counter()
      let cached = CachedValue { counter.next() }
      let values = try await [
        cached.value(maximumAge: .seconds(3600)), cached.value(maximumAge: .seconds(3600)),
      ]
      #expect(values == [1, 1])
    }
  }

  @Test func `a value that is too old is computed again, once for all concurrent callers`() async throws {
    try await TestLoop.run {
      let counter = Counter()
      let gate = Promise<Void>()
      let cached = CachedValue {
        let number = counter.next()
        if number > 1 { try await gate.get() }
        return number
      }
      let first = try await cached.value(maximumAge: .zero)
      #expect(first == 1)
      await EventLoop.untilLater()
      let asking = (0..<5).map { _ in LoopActor.task { try await cached.value(maximumAge: .zero) } }
      while counter.count < 2 { await Task.yield() }
      gate.fulfil(())
      for task in asking {
        let value = try await task.value
        #expect(value > 1)
      }
      // A computation that is in progress may have begun before the call, so these callers share another one.
      #expect(counter.count <= 3)
    }
  }

  @Test func `a failed computation is tried again`() async throws {
    try await TestLoop.run {
      let counter = Counter()
      let cached = CachedValue {
        let number = counter.next()
        if number == 1 { throw Failure() }
        return number
      }
      await #expect(throws: Failure.self) { try await cached.value(maximumAge: .seconds(3600)) }
      let value = try await cached.value(maximumAge: .seconds(3600))
      #expect(value == 2)
    }
  }
}

@LoopActor private final class Counter {
  private(set) var count = 0
  func next() -> Int {
    count += 1
    return count
  }
}

extension EventLoop {
  /// Waits until its clock shows a later time.
  @LoopActor fileprivate static func untilLater() async {
    let start = now
    while now == start { await Task.yield() }
  }
}
