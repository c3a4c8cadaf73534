import Glibc
import Bytes
import Synchronization
import TestLoop
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct ExecutorTests {
    @Test func `code knows whether it runs on the loop`() async throws {
      try await onLoop {
        LoopActor.assertIsolated()
        LoopActor.preconditionIsolated()
        #expect(EventLoop.shared.isIsolatingCurrentContext() == true)
      }
      let elsewhere = await Task { @concurrent in EventLoop.shared.isIsolatingCurrentContext() }.value
      #expect(elsewhere == false)
    }

    @Test func `jobs run in order of arrival`() async throws {
      try await onLoop {
        var order: [Int] = []
        let tasks = (0..<100).map { index in Task { @LoopActor in order.append(index) } }
        for task in tasks { await task.value }
        #expect(order == Array(0..<100))
      }
    }

    @Test func `a job that queues jobs forever does not block timers and sockets`() async throws {
      try await withPair { pair in
        var rounds = 0
        let busy = Task { @LoopActor in
          while !Task.isCancelled {
            rounds += 1
            await Task.yield()
          }
        }
        try await EventLoop.sleep(for: .milliseconds(2))
        // On a busy machine, 2 ms pass before the job has had many turns.
        while rounds <= 10 { await Task.yield() }
        try await pair.near.write("through")
        #expect(try await pair.far.read(7) == "through")
        #expect(rounds > 10)
        busy.cancel()
        await busy.value
      }
    }

    @Test func `a task that prefers the loop stays on the loop's thread, whatever it waits for`() async throws
    {
      try await onLoop {
        try await LoopActor.task {
          var resumed: UnsafeContinuation<Void, Never>?
          let other = LoopActor.task {
            await withUnsafeContinuation { resumed = $0 }
            return await isOnLoopEverywhere()
          }
          while resumed == nil { await Task.yield() }
          resumed?.resume()
          #expect(await other.value)
          try await EventLoop.sleep(for: .zero)
          #expect(await isOnLoopEverywhere())
          async let first = isOnLoopEverywhere()
          async let second = isOnLoopEverywhere()
          let (isFirst, isSecond) = await (first, second)
          #expect(isFirst && isSecond)
        }.value
      }
    }

    @Test func `a task that prefers the loop is never queued twice`() async throws {
      try await onLoop {
        let before = EventLoop.shared.mismatchCount
        try await LoopActor.task {
          let pair = try await SocketPair.tcp()
          try await pair.near.write("x")
          #expect(try await pair.far.read(1) == "x")
          await pair.close()
          try await withDeadline(.seconds(1000)) { try await EventLoop.sleep(for: .milliseconds(1)) }
        }.value
        #expect(EventLoop.shared.mismatchCount == before)
      }
    }

    @Test func `tasks without the preference work too`() async throws {
      try await onLoop {
        let plain = Task { @LoopActor in
          for _ in 0..<10 {
            try await EventLoop.sleep(for: .zero)
            await LoopActor.task {}.value
          }
          return 1
        }
        let one = try await plain.value
        #expect(one == 1)
      }
    }

    @Test func `jobs from many threads all run, on the loop`() async throws {
      TestLoop.start()
      let count = Counter()
      await withTaskGroup { group in
        for _ in 0..<8 {
          group.addTask { @concurrent in
            for _ in 0..<1000 { await count.increment() }
          }
        }
      }
      #expect(await count.value == 8000)
    }

    @Test func `a loop closes without open handles, and returns the result of main`() async {
      await #expect(processExitsWith: .exitCode(7)) {
        let reports = Mutex<[String]>([])
        Handle.onForgottenHandle { report in reports.withLock { $0.append(report) } }
        let first = EventLoop.shared.run {
          do { try await useEverything() } catch { return 1 }
          return 7
        }
        // A second loop in the same process works as well, and one that is made for nothing.
        let second = EventLoop.shared.run { 0 }
        exit(reports.withLock { $0.isEmpty } && second == 0 ? first : 2)
      }
    }

    @Test func `a handle that was not closed is reported and closed`() async {
      await #expect(processExitsWith: .exitCode(7)) {
        let reports = Mutex<[String]>([])
        Handle.onForgottenHandle { report in reports.withLock { $0.append(report) } }
        _ = EventLoop.shared.run {
          _ = Deadline {}
          return 0
        }
        exit(reports.withLock { $0 } == ["a timer handle was not closed"] ? 7 : 2)
      }
    }

    @Test func `a write to a closed connection does not end the process`() async {
      await #expect(processExitsWith: .exitCode(7)) {
        exit(EventLoop.shared.run { raise(SIGPIPE) == 0 ? 7 : 1 })
      }
    }
  }
}

/// True when code without an actor runs on the loop too.
@concurrent
private func isOnLoopEverywhere() async -> Bool { EventLoop.shared.isOnLoopThread }

@LoopActor
private final class Counter {
  private(set) var value = 0
  nonisolated init() {}
  func increment() {
    LoopActor.preconditionIsolated()
    value += 1
  }
}

/// One of each kind of handle, used and closed.
@LoopActor
private func useEverything() async throws {
  let pair = try await SocketPair.tcp()
  try await pair.near.write("x")
  _ = try await pair.far.fill()
  await pair.close()
  try await EventLoop.sleep(for: .milliseconds(1))
  let watcher = try SignalWatcher([.user1])
  watcher.close()
  let deadline = Deadline {}
  deadline.start(.seconds(1000))
  deadline.close()
  // Not waited for: the loop does so at its end.
  let aborted = try await Listener.bind(host: "127.0.0.1", port: 0)
  aborted.startClosing()
}
