import Testing

@testable import Loop

extension LoopTests {
  @Suite struct AsyncMutexes {
    private struct Closed: Error {}

    @Test func `One task at a time holds the mutex, in the order in which they asked`() async throws {
      try await onLoop {
        let mutex = AsyncMutex()
        let order = Order()
        try await mutex.lock()
        var tasks: [Task<Void, any Error>] = []
        for number in 1...5 {
          tasks.append(
            LoopActor.task {
              try await mutex.lock()
              order.holders += 1
              #expect(order.holders == 1)
              order.numbers.append(number)
              await Task.yield()
              order.holders -= 1
              mutex.unlock()
            })
          await until { mutex.waitingCount == number }
        }
        #expect(order.numbers == [])
        mutex.unlock()
        for task in tasks { try await task.value }
        #expect(order.numbers == [1, 2, 3, 4, 5])
        #expect(!mutex.isLocked)
      }
    }

    @Test func `A task that is cancelled while it waits is skipped`() async throws {
      try await onLoop {
        let mutex = AsyncMutex()
        try await mutex.lock()
        let cancelled = LoopActor.task { try await mutex.lock() }
        await until { mutex.waitingCount == 1 }
        let next = LoopActor.task { try await mutex.lock() }
        await until { mutex.waitingCount == 2 }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        mutex.unlock()
        try await next.value
        #expect(mutex.isLocked && mutex.waitingCount == 0)
      }
    }

    @Test func `A wait can be ended by another task, before it begins and while it lasts`() async throws {
      try await onLoop {
        let mutex = AsyncMutex()
        try await mutex.lock()
        let waiter = AsyncMutex.Waiter()
        let cancelled = LoopActor.task { try await mutex.lock(as: waiter) }
        await until { mutex.waitingCount == 1 }
        let next = LoopActor.task { try await mutex.lock() }
        await until { mutex.waitingCount == 2 }
        mutex.cancel(waiter)
        #expect(mutex.waitingCount == 1)
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        mutex.unlock()
        try await next.value
        mutex.unlock()
        let early = AsyncMutex.Waiter()
        mutex.cancel(early)
        await #expect(throws: CancellationError.self) { try await mutex.lock(as: early) }
        #expect(!mutex.isLocked)
      }
    }

    @Test func `A place in the queue can be taken before the wait`() async throws {
      try await onLoop {
        let mutex = AsyncMutex()
        let (first, second) = (AsyncMutex.Waiter(), AsyncMutex.Waiter())
        mutex.enqueue(first)
        mutex.enqueue(second)
        #expect(first.value != nil && mutex.isLocked && mutex.waitingCount == 1)
        let later = LoopActor.task { try await mutex.lock() }
        await until { mutex.waitingCount == 2 }
        try await mutex.lock(as: first)
        mutex.unlock()
        try await mutex.lock(as: second)
        #expect(mutex.waitingCount == 1)
        mutex.unlock()
        try await later.value
        mutex.unlock()
      }
    }

    @Test func `A place in the queue is no use once the mutex is closed`() async throws {
      try await onLoop {
        let mutex = AsyncMutex()
        let (first, second) = (AsyncMutex.Waiter(), AsyncMutex.Waiter())
        mutex.enqueue(first)
        mutex.enqueue(second)
        mutex.close(Closed())
        for waiter in [first, second] {
          await #expect(throws: Closed.self) { try await mutex.lock(as: waiter) }
        }
        #expect(!mutex.isLocked && mutex.waitingCount == 0)
      }
    }

    @Test func `Cancelling a wait has no effect once it has the mutex`() async throws {
      try await onLoop {
        let mutex = AsyncMutex()
        for isWaitedFor in [false, true] {
          if isWaitedFor { try await mutex.lock() }
          let waiter = AsyncMutex.Waiter()
          let holder = LoopActor.task { try await mutex.lock(as: waiter) }
          if isWaitedFor {
            await until { mutex.waitingCount == 1 }
            mutex.unlock()
          } else {
            try await holder.value
          }
          mutex.cancel(waiter)
          try await holder.value
          #expect(mutex.isLocked)
          mutex.unlock()
        }
      }
    }

    @Test func `No task gets a mutex that was closed`() async throws {
      try await onLoop {
        let mutex = AsyncMutex()
        try await mutex.lock()
        let waiting = LoopActor.task { try await mutex.lock() }
        await until { mutex.waitingCount == 1 }
        mutex.close(Closed())
        await #expect(throws: Closed.self) { try await waiting.value }
        mutex.unlock()
        await #expect(throws: Closed.self) { try await mutex.lock() }
        await #expect(throws: Closed.self) { try await mutex.lock(as: AsyncMutex.Waiter()) }
      }
    }

    @LoopActor private final class Order {
      nonisolated init() {}
      var numbers: [Int] = []
      var holders = 0
    }
  }
}
