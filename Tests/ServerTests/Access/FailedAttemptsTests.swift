import Testing

@testable import Server

@Suite struct FailedAttemptsTests {
  private var attempts = FailedAttempts()

  /// Records a failure whose answer does not wait any more.
  private mutating func fail(_ network: String, at now: UInt64 = 1) -> FailedAttempts.Verdict {
    let verdict = attempts.record(from: network, at: now)
    if case .answer(let delay) = verdict, delay > 0 { attempts.endWait(of: network) }
    return verdict
  }

  @Test mutating func `the first failures wait for nothing, later ones ever longer, up to a limit`() {
    for _ in 0..<FailedAttempts.free { #expect(fail("a") == .answer(after: 0)) }
    var expected = FailedAttempts.shortestDelay
    while expected < FailedAttempts.longestDelay {
      #expect(fail("a") == .answer(after: expected))
      expected *= 2
    }
    for _ in 0..<100 { #expect(fail("a") == .answer(after: FailedAttempts.longestDelay)) }
    #expect(attempts.waiting == 0)
  }

  @Test mutating func `another network does not wait for it`() {
    for _ in 0..<50 { _ = fail("a") }
    #expect(fail("b") == .answer(after: 0))
  }

  @Test mutating func `failures are forgotten after a while`() {
    for _ in 0..<50 { _ = fail("a", at: 5) }
    #expect(fail("a", at: 5 + FailedAttempts.memory) == .answer(after: FailedAttempts.longestDelay))
    #expect(fail("a", at: 6 + 2 * FailedAttempts.memory) == .answer(after: 0))
  }

  @Test mutating func `few answers to one network wait at once`() {
    for _ in 0..<10 { _ = fail("a") }
    for _ in 0..<FailedAttempts.mostWaitingPerNetwork {
      #expect(attempts.record(from: "a", at: 1) == .answer(after: FailedAttempts.longestDelay))
    }
    #expect(attempts.record(from: "a", at: 1) == .answerAndClose)
    #expect(fail("b") == .answer(after: 0))
    attempts.endWait(of: "a")
    #expect(attempts.record(from: "a", at: 1) == .answer(after: FailedAttempts.longestDelay))
  }

  @Test mutating func `few answers wait at once in total`() {
    for network in 0..<FailedAttempts.mostWaiting {
      for _ in 0..<FailedAttempts.free { _ = fail("\(network)") }
      #expect(attempts.record(from: "\(network)", at: 1) == .answer(after: FailedAttempts.shortestDelay))
    }
    for _ in 0..<FailedAttempts.free { #expect(fail("more") == .answer(after: 0)) }
    #expect(fail("more") == .answerAndClose)
  }

  @Test mutating func `the networks that failed last are remembered, and those whose answers wait`() {
    for _ in 0..<FailedAttempts.free { _ = fail("waiting") }
    #expect(attempts.record(from: "waiting", at: 1) == .answer(after: FailedAttempts.shortestDelay))
    for _ in 0..<10 { _ = fail("old") }
    for network in 0..<FailedAttempts.mostNetworks { _ = fail("\(network)") }
    #expect(attempts.count == FailedAttempts.mostNetworks)
    #expect(fail("old") == .answer(after: 0))
    attempts.endWait(of: "waiting")
    #expect(fail("waiting") == .answer(after: 2 * FailedAttempts.shortestDelay))
  }
}
