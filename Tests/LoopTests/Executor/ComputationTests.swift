import Glibc
import TestLoop
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct Computations {
    private static let long = Computation.longLength

    @Test func `short work is done at once, long work on another thread`() async throws {
      try await onLoop {
        let own = pthread_self()
        let short = try await Computation.run(over: Self.long - 1) { pthread_self() }
        let long = try await Computation.run(over: Self.long) { pthread_self() }
        #expect(short == own && long != own)
      }
    }

    @Test func `an error of the work is rethrown`() async throws {
      struct Failure: Error {}
      try await onLoop {
        for length in [0, Self.long] {
          await #expect(throws: Failure.self) { try await Computation.run(over: length) { throw Failure() } }
        }
      }
    }

    @Test func `the loop is not blocked, and half of the pool is left to others`() async throws {
      try await onLoop {
        let gate = ThreadSemaphore()
        var works: [Task<Void, any Error>] = []
        for _ in 0..<3 {
          works.append(LoopActor.task { try await Computation.run(over: Self.long) { gate.wait() } })
        }
        // Reads of files go on beside them.
        _ = try await SmallFile.read("/proc/self/stat")
        _ = try await SmallFile.read("/proc/self/stat")
        for _ in works { gate.signal() }
        for work in works { try await work.value }
      }
    }

    @Test func `cancelled work that has not begun leaves nothing behind`() async throws {
      try await onLoop {
        let plug = try PoolPlug()
        let works = (0..<4).map { _ in
          LoopActor.task { try await Computation.run(over: Self.long) {} }
        }
        for _ in 0..<10 { await Task.yield() }
        for work in works { work.cancel() }
        for work in works {
          await #expect(throws: CancellationError.self) { try await work.value }
        }
        await plug.remove()
        let result = try await Computation.run(over: Self.long) { 7 }
        #expect(result == 7)
      }
    }
  }
}

/// A semaphore that blocks the thread (`sem_wait`), for work on other threads.
private final class ThreadSemaphore: @unchecked Sendable {
  private let raw = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
  init() { sem_init(raw, 0, 0) }
  deinit {
    sem_destroy(raw)
    raw.deallocate()
  }
  func wait() { sem_wait(raw) }
  func signal() { sem_post(raw) }
}
