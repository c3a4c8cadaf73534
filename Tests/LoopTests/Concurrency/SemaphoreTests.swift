import Testing

@testable import Loop

extension LoopTests {
  @Suite struct Semaphores {
    @Test
    func `No more tasks hold a permit than there are, and they get it in the order in which they asked`()
      async throws
    {
      try await onLoop {
        let semaphore = Semaphore(permits: 2)
        let counter = Counter()
        let tasks = (0..<20).map { number in
          LoopActor.task {
            try await semaphore.withPermit {
              counter.inside += 1
              counter.order.append(number)
              counter.most = max(counter.most, counter.inside)
              await Task.yield()
              counter.inside -= 1
            }
          }
        }
        for task in tasks { try await task.value }
        #expect(counter.most == 2)
        #expect(counter.order == Array(0..<20))
      }
    }

    @Test func `A returned permit goes to the first waiter, not to a new caller`()
      async throws
    {
      try await onLoop {
        let semaphore = Semaphore(permits: 1)
        let counter = Counter()
        try await semaphore.wait()
        let first = LoopActor.task {
          try await semaphore.wait()
          counter.order.append(1)
        }
        await until { semaphore.waitingCount == 1 }
        semaphore.signal()
        #expect(!semaphore.isAvailable && semaphore.waitingCount == 0)
        let second = LoopActor.task {
          try await semaphore.wait()
          counter.order.append(2)
        }
        try await first.value
        semaphore.signal()
        try await second.value
        #expect(counter.order == [1, 2])
      }
    }

    @Test func `A task that is cancelled before it waits gets no permit, even if one is free`() async throws {
      try await onLoop {
        let semaphore = Semaphore(permits: 1)
        let cancelled = LoopActor.task {
          withUnsafeCurrentTask { $0?.cancel() }
          try await semaphore.wait()
        }
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        #expect(semaphore.isAvailable)
      }
    }

    @Test func `A task that is cancelled while it waits leaves the queue to the others`() async throws {
      try await onLoop {
        let semaphore = Semaphore(permits: 1)
        try await semaphore.wait()
        let cancelled = LoopActor.task { try await semaphore.wait() }
        await until { semaphore.waitingCount == 1 }
        let next = LoopActor.task { try await semaphore.wait() }
        await until { semaphore.waitingCount == 2 }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        #expect(semaphore.waitingCount == 1)
        semaphore.signal()
        try await next.value
        semaphore.signal()
        #expect(semaphore.isAvailable)
      }
    }

    @Test(arguments: [true, false])
    func `No permit is lost where a task is cancelled in the moment in which it gets one`(
      isCancelledFirst: Bool
    ) async throws {
      try await onLoop {
        let semaphore = Semaphore(permits: 1)
        try await semaphore.wait()
        let waiting = LoopActor.task { try await semaphore.withPermit {} }
        await until { semaphore.waitingCount == 1 }
        if isCancelledFirst { waiting.cancel() }
        semaphore.signal()
        waiting.cancel()
        _ = await waiting.result
        #expect(semaphore.isAvailable && semaphore.waitingCount == 0)
      }
    }

    @Test func `Work that takes longer than its limit gives its permit back, once`() async throws {
      try await onLoop {
        let semaphore = Semaphore(permits: 1)
        let limit: Duration = .milliseconds(1)
        let count = Counter()
        try await semaphore.withPermit(for: limit) {
          try await semaphore.withPermit(for: limit) {
            try await semaphore.withPermit(for: limit) { count.inside += 1 }
          }
        }
        #expect(count.inside == 1)
        try await semaphore.wait()
        #expect(!semaphore.isAvailable, "there is one permit, as there was")
      }
    }

    @Test func `An error of the work is rethrown, and the permit returned`() async throws {
      try await onLoop {
        let semaphore = Semaphore(permits: 1)
        await #expect(throws: UVError.busy) { try await semaphore.withPermit { throw UVError.busy } }
        #expect(semaphore.isAvailable)
      }
    }

    @LoopActor private final class Counter {
      nonisolated init() {}
      var inside = 0
      var most = 0
      var order: [Int] = []
    }
  }
}
