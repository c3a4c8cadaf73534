import Testing

@testable import Loop

extension LoopTests {
  @Suite struct TimeTests {
    @Test func `sleep is never early`() async throws {
      try await onLoop {
        let start = EventLoop.now
        try await EventLoop.sleep(for: .milliseconds(5))
        #expect(EventLoop.now - start >= 5_000_000)
      }
    }

    @Test func `a sleep that is cancelled before, while and after it sleeps`() async throws {
      try await onLoop {
        let before = Task { @LoopActor in
          withUnsafeCurrentTask { $0?.cancel() }
          try await EventLoop.sleep(for: .seconds(1000))
        }
        await #expect(throws: CancellationError.self) { try await before.value }

        let during = Task { @LoopActor in try await EventLoop.sleep(for: .seconds(1000)) }
        await Task.yield()
        during.cancel()
        await #expect(throws: CancellationError.self) { try await during.value }

        let after = Task { @LoopActor in try await EventLoop.sleep(for: .zero) }
        try await after.value
        after.cancel()
        try await after.value
      }
    }

    @Test func `a sleep that another thread cancels`() async throws {
      try await onLoop {
        let sleeper = Task { @LoopActor in try await EventLoop.sleep(for: .seconds(1000)) }
        await Task.yield()
        await Task { @concurrent in sleeper.cancel() }.value
        await #expect(throws: CancellationError.self) { try await sleeper.value }
      }
    }

    @Test func `a deadline returns a result in time, and cancels late work`() async throws {
      try await onLoop {
        let answer = try await withDeadline(.seconds(1000)) { 42 }
        #expect(answer == 42)
        await #expect(throws: UVError.endOfFile) {
          try await withDeadline(.seconds(1000)) { throw UVError.endOfFile }
        }
        await #expect(throws: DeadlineExceeded(after: .milliseconds(1))) {
          try await withDeadline(.milliseconds(1)) { try await EventLoop.sleep(for: .seconds(1000)) }
        }
      }
    }

    @Test func `a cancelled caller of a deadline cancels what it runs`() async throws {
      try await onLoop {
        let task = Task { @LoopActor in
          try await withDeadline(.seconds(1000)) { try await EventLoop.sleep(for: .seconds(1000)) }
        }
        await Task.yield()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
      }
    }

    @Test func `a deadline object expires once for each start and never after stop`() async throws {
      try await onLoop {
        let expiry = WaitQueue()
        var count = 0
        let deadline = Deadline {
          count += 1
          expiry.wakeAll()
        }
        deadline.start(.milliseconds(1))
        try await expiry.wait { count == 1 }
        deadline.start(.milliseconds(1))
        try await expiry.wait { count == 2 }
        deadline.start(.milliseconds(1))
        // It expires after the other one would have.
        var isLate = false
        let later = Deadline {
          isLate = true
          expiry.wakeAll()
        }
        later.start(.milliseconds(1))
        deadline.stop()
        try await expiry.wait { isLate }
        later.close()
        #expect(count == 2 && !deadline.isRunning)
        deadline.close()
        deadline.close()
        deadline.start(.zero)
        #expect(!deadline.isRunning)
      }
    }

    @Test func `durations are rounded up to milliseconds`() {
      #expect(Duration.zero.milliseconds == 0)
      #expect(Duration.milliseconds(-5).milliseconds == 0)
      #expect(Duration.nanoseconds(1).milliseconds == 2)
      #expect(Duration.milliseconds(10).milliseconds == 11)
      #expect(Duration.seconds(Int64.max).milliseconds == UInt64.max / 4)
    }
  }
}
