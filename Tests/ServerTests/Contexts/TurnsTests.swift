import Loop
import TestLoop
import Testing

@testable import Server

@Suite struct TurnsTests {
  private struct Closed: Error {}

  @Test func turnsComeInTheOrderInWhichTheyWereAskedFor() async throws {
    try await TestLoop.run {
      let turns = Turns()
      let order = Order()
      try await turns.take(Turns.Ticket())
      var tasks: [Task<Void, any Error>] = []
      for number in 1...5 {
        tasks.append(
          LoopActor.task {
            try await turns.take(Turns.Ticket())
            order.numbers.append(number)
            turns.pass()
          })
        await Self.until { turns.waiting == number }
      }
      turns.pass()
      for task in tasks { try await task.value }
      #expect(order.numbers == [1, 2, 3, 4, 5])
    }
  }

  @Test func whoWithdrawsIsPassedOver() async throws {
    try await TestLoop.run {
      let turns = Turns()
      try await turns.take(Turns.Ticket())
      let ticket = Turns.Ticket()
      let withdrawn = LoopActor.task { try await turns.take(ticket) }
      await Self.until { turns.waiting == 1 }
      let next = LoopActor.task { try await turns.take(Turns.Ticket()) }
      await Self.until { turns.waiting == 2 }
      turns.withdraw(ticket)
      await #expect(throws: CancellationError.self) { try await withdrawn.value }
      #expect(turns.waiting == 1)
      turns.pass()
      try await next.value
      await #expect(throws: CancellationError.self) { try await turns.take(ticket) }
    }
  }

  @Test func aClosedQueueLetsNobodyIn() async throws {
    try await TestLoop.run {
      let turns = Turns()
      try await turns.take(Turns.Ticket())
      let waiting = LoopActor.task { try await turns.take(Turns.Ticket()) }
      await Self.until { turns.waiting == 1 }
      turns.close(Closed())
      await #expect(throws: Closed.self) { try await waiting.value }
      await #expect(throws: Closed.self) { try await turns.take(Turns.Ticket()) }
    }
  }

  @LoopActor private final class Order { var numbers: [Int] = [] }

  /// Lets other tasks run until `isDone`.
  @LoopActor private static func until(_ isDone: () -> Bool) async {
    while !isDone() { await LoopActor.task {}.value }
  }
}
