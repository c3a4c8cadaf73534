import Glibc
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct SignalTests {
    @Test func `signals arrive in order, even those before next was called`() async throws {
      try await onLoop {
        let watcher = try SignalWatcher([.user1, .user2])
        kill(getpid(), SIGUSR2)
        #expect(try await watcher.next() == .user2)
        kill(getpid(), SIGUSR1)
        kill(getpid(), SIGUSR1)
        #expect(try await watcher.next() == .user1)
        watcher.close()
      }
    }

    @Test func `waiting for a signal can be cancelled, and ends when the watcher is closed`() async throws {
      try await onLoop {
        let watcher = try SignalWatcher([.user1])
        let cancelled = Task { @LoopActor in try await watcher.next() }
        await Task.yield()
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        let closed = Task { @LoopActor in try await watcher.next() }
        await Task.yield()
        watcher.close()
        watcher.close()
        await #expect(throws: UVError.cancelled) { try await closed.value }
      }
    }

    @Test func `a signal that cannot be watched is refused`() async throws {
      try await onLoop {
        #expect(throws: UVError.invalidArgument) { try SignalWatcher([.user1, .kill]) }
      }
    }

    @Test func `errors have names and words`() {
      #expect(UVError.connectionRefused.name == "ECONNREFUSED")
      #expect(UVError.connectionRefused.description == "connection refused (ECONNREFUSED)")
      #expect(UVError(systemError: ENOENT) == .noEntry)
    }
  }
}
