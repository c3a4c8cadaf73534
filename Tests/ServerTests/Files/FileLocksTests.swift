import Bytes
import Loop
import TestLoop
import Testing
import Workspace

@testable import Server

@Suite struct FileLocksTests {
  @Test func `A file has one lock holder at a time, other files do not wait, and locks are freed`()
    async throws
  {
    try await TestLoop.run {
      let temporary = try TemporaryDirectory(prefix: "locks-")
      let directory = try await Directory.open(temporary.path)
      let (one, other) = (
        try await directory.place(of: RelativePath("one")),
        try await directory.place(of: RelativePath("other"))
      )
      let locks = FileLocks()
      try await locks.lock(one)
      let order = Order()
      let tasks = (1...3).map { number in
        LoopActor.task {
          try await locks.lock(one)
          order.numbers.append(number)
          await Task.yield()
          locks.unlock(one)
        }
      }
      await LoopActor.task {}.value
      try await locks.lock(other)
      #expect(locks.count == 2)
      locks.unlock(other)
      tasks[1].cancel()
      await #expect(throws: CancellationError.self) { try await tasks[1].value }
      #expect(order.numbers == [])
      locks.unlock(one)
      try await tasks[0].value
      try await tasks[2].value
      #expect(order.numbers == [1, 3])
      let late = LoopActor.task {
        withUnsafeCurrentTask { $0?.cancel() }
        try await locks.lock(one)
      }
      await #expect(throws: CancellationError.self) { try await late.value }
      #expect(locks.count == 0)
      await temporary.remove()
    }
  }

  @LoopActor private final class Order { var numbers: [Int] = [] }
}
