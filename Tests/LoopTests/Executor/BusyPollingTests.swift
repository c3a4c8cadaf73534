import Testing

@testable import Loop

@Suite struct BusyPollingTests {
  @Test func `who has slept for long sleeps`() {
    var polling = BusyPolling()
    for turn in UInt64(1)...20 {
      let looksAgain = polling.shouldLookAgain(at: turn * 1_000_000)
      #expect(!looksAgain)
      polling.didReceiveWork(at: turn * 1_000_000 + BusyPolling.limit)
    }
  }

  @Test func `when work has come soon several times in a row, it is waited for`() {
    var polling = BusyPolling()
    var time: UInt64 = 0
    let first = receiveSoon(&polling, &time, count: BusyPolling.streak)
    #expect(first == Array(repeating: false, count: BusyPolling.streak))
    let later = receiveSoon(&polling, &time, count: 3)
    #expect(later == [true, true, true])
  }

  @Test func `once it is waited for in vain, the loop sleeps, and does not wait again at once`() {
    var polling = BusyPolling()
    var time: UInt64 = 0
    _ = receiveSoon(&polling, &time, count: BusyPolling.streak)
    let waits = [0, BusyPolling.limit - 1, BusyPolling.limit, BusyPolling.limit + 1].map {
      polling.shouldLookAgain(at: time + $0)
    }
    #expect(waits == [true, true, false, false])
    time += BusyPolling.limit + 2
    polling.didReceiveWork(at: time)
    let next = receiveSoon(&polling, &time, count: 3)
    #expect(next == [false, false, false])
  }

  @Test func `turns without a wait between them say nothing`() {
    var polling = BusyPolling()
    for time in UInt64(0)..<100 { polling.didReceiveWork(at: time) }
    let looksAgain = polling.shouldLookAgain(at: 100)
    #expect(!looksAgain)
  }

  /// Whether it was waited for, so many times.
  private func receiveSoon(_ polling: inout BusyPolling, _ time: inout UInt64, count: Int) -> [Bool] {
    var found: [Bool] = []
    for _ in 0..<count {
      found.append(polling.shouldLookAgain(at: time))
      time += BusyPolling.limit - 1
      polling.didReceiveWork(at: time)
    }
    return found
  }
}
