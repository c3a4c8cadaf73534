import Loop
import TestLoop
import Testing

@testable import Jupyter

@Suite struct GateTests {
  @LoopActor private final class Counter {
    var inside = 0
    var most = 0
    var order: [Int] = []
  }

  @Test func `no more are inside than may be, and they come in their order`() async throws {
    try await TestLoop.run {
      let gate = Gate(width: 2, patience: .seconds(60))
      let counter = Counter()
      let tasks = (0..<20).map { number in
        LoopActor.task {
          try await gate.pass {
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

  @Test func `who gives up while waiting, or in the moment of its turn, takes nobody's place`() async throws {
    try await TestLoop.run {
      let gate = Gate(width: 1, patience: .seconds(60))
      for _ in 0..<3 {
        var waiting: [Task<Void, any Error>] = []
        try await gate.pass {
          waiting = (0..<3).map { _ in LoopActor.task { try await gate.pass {} } }
          await Task.yield()
          waiting[0].cancel()
        }
        waiting[1].cancel()
        // Whether each was in time or not.
        for task in waiting[..<2] { _ = await task.result }
        try await waiting[2].value
      }
      try await gate.pass {}
    }
  }

  @Test func `who takes long makes room, once`() async throws {
    try await TestLoop.run {
      let gate = Gate(width: 1, patience: .milliseconds(1))
      let counter = Counter()
      try await gate.pass { try await gate.pass { try await gate.pass { counter.inside += 1 } } }
      #expect(counter.inside == 1)
    }
  }
}
