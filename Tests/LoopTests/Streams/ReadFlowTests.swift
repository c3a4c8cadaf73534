import Testing

@testable import Loop

@Suite struct ReadFlowTests {
  /// What `flow` says to `count` small reads that are `gap` nanoseconds apart.
  private func read(_ count: Int, _ flow: inout ReadFlow, gap: UInt64, from start: UInt64 = 0) -> [Bool] {
    (1...UInt64(count)).map { flow.didRead(500, at: start + $0 * gap) }
  }

  @Test func `answers that are few are not waited for`() {
    var flow = ReadFlow()
    for question in UInt64(0)..<100 {
      let waits = read(ReadFlow.leastReads - 1, &flow, gap: 1000, from: question * 100_000)
      #expect(!waits.contains(true))
      flow.restart()
    }
  }

  @Test func `of a steady flow every second read waits`() {
    var flow = ReadFlow()
    let before = read(ReadFlow.leastReads - 1, &flow, gap: ReadFlow.longestGap)
    #expect(!before.contains(true))
    let start = UInt64(ReadFlow.leastReads - 1) * ReadFlow.longestGap
    #expect(read(6, &flow, gap: ReadFlow.longestGap, from: start) == [false, true, false, true, false, true])
  }

  @Test func `who speaks now and then is heard at once`() {
    var flow = ReadFlow()
    let waits = read(100, &flow, gap: ReadFlow.longestGap + 1)
    #expect(!waits.contains(true))
  }

  @Test func `large reads end the flow`() {
    var flow = ReadFlow()
    _ = read(ReadFlow.leastReads + 1, &flow, gap: 1)
    let isWaiting = flow.didRead(ReadFlow.largeRead, at: 100)
    #expect(!isWaiting)
    let waits = read(ReadFlow.leastReads - 1, &flow, gap: 1, from: 100)
    #expect(!waits.contains(true))
  }
}
