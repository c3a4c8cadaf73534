import Testing

@testable import Loop

extension LoopTests {
  @Suite struct KeyedMutexes {
    @Test func `One at a time has a key, in the order in which they asked, and other keys do not wait`()
      async throws
    {
      try await onLoop {
        let mutex = KeyedMutex<String>()
        let order = Order()
        try await mutex.lock("a")
        let tasks = (1...5).map { number in
          LoopActor.task {
            try await mutex.lock("a")
            order.holders += 1
            #expect(order.holders == 1)
            order.numbers.append(number)
            await Task.yield()
            order.holders -= 1
            mutex.unlock("a")
          }
        }
        await LoopActor.task {}.value
        try await mutex.lock("b")
        mutex.unlock("b")
        #expect(order.numbers == [])
        mutex.unlock("a")
        for task in tasks { try await task.value }
        #expect(order.numbers == [1, 2, 3, 4, 5])
        #expect(mutex.count == 0, "nothing is kept for keys that nobody holds")
      }
    }

    @Test func `One who waits can be cancelled, and the next has its turn`() async throws {
      try await onLoop {
        let mutex = KeyedMutex<Int>()
        try await mutex.lock(1)
        let cancelled = LoopActor.task { try await mutex.lock(1) }
        let next = LoopActor.task {
          try await mutex.lock(1)
          mutex.unlock(1)
        }
        await LoopActor.task {}.value
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        mutex.unlock(1)
        try await next.value
        #expect(mutex.count == 0)
      }
    }

    @LoopActor private final class Order {
      nonisolated init() {}
      var numbers: [Int] = []
      var holders = 0
    }
  }
}
