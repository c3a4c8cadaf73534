import Testing

@testable import Jupyter

@Suite struct TurnBudgetTests {
  /// How many messages of `count` bytes go into one turn.
  private func messages(of count: Int) -> Int {
    var budget = TurnBudget()
    var taken = 1
    while !budget.isSpent(by: count) { taken += 1 }
    return taken
  }

  @Test func `a turn has a limit of messages and one of bytes`() {
    #expect(messages(of: 0) == TurnBudget.messages)
    #expect(messages(of: 1000) == TurnBudget.messages)
    #expect(messages(of: TurnBudget.bytes / 4) == 4)
    #expect(messages(of: TurnBudget.bytes) == 1)
    #expect(messages(of: .max) == 1)
  }

  @Test func `the next turn starts with a full budget`() {
    var budget = TurnBudget()
    var spent = [budget.isSpent(by: TurnBudget.bytes), budget.isSpent(by: TurnBudget.bytes - 1)]
    budget.renew()
    spent += [budget.isSpent(by: TurnBudget.bytes - 1), budget.isSpent(by: 1)]
    #expect(spent == [true, false, false, true])
  }
}
