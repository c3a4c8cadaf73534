import Testing

@testable import HTTPServer

/// An account that expectations can change.
private final class SharedAccount {
  var account: BodyMemoryAccount

  init(limit: Int, reserve: Int) { account = BodyMemoryAccount(limit: limit, reserve: reserve) }

  var used: Int { account.used }
  var waitingCount: Int { account.waitingCount }

  func take(_ count: Int, for body: UInt64) -> Bool { account.take(count, for: body) }
  func end(_ body: UInt64) -> [UInt64] { account.end(body) }
  func free(_ body: UInt64) -> [UInt64] { account.free(body) }
}

@Suite struct BodyMemoryAccountTests {
  /// Sends bodies of `lengths` in turn, in steps of 10, until none can continue. Returns the complete ones in their order;
  /// each is answered at once.
  private func send(_ lengths: [Int], to account: inout BodyMemoryAccount) -> [Int] {
    var left = Dictionary(uniqueKeysWithValues: lengths.enumerated().map { (UInt64($0.offset), $0.element) })
    var waiting: Set<UInt64> = []
    var whole: [Int] = []
    var hasProgressed = true
    while hasProgressed {
      hasProgressed = false
      for body in left.keys.sorted() where !waiting.contains(body) {
        hasProgressed = true
        guard let rest = left[body] else { continue }
        guard rest > 0 else {
          left[body] = nil
          whole.append(Int(body))
          waiting.subtract(account.end(body) + account.free(body))
          continue
        }
        left[body] = rest - 10
        if !account.take(10, for: body) { waiting.insert(body) }
        #expect(account.used <= account.limit)
      }
    }
    return whole
  }

  @Test(arguments: [(100, 100), (100, 50), (150, 100), (1000, 100), (210, 70)])
  func `bodies that are too much together come to their ends one after the other`(
    limit: Int, longest: Int
  ) {
    for count in [1, 2, 3, 10, 50] {
      var account = BodyMemoryAccount(limit: limit, reserve: longest)
      let whole = send([Int](repeating: longest, count: count), to: &account)
      #expect(whole.sorted() == Array(0..<count))
      #expect(account.used == 0 && account.waitingCount == 0)
    }
  }

  @Test func `a complete body counts until its response`() {
    let account = SharedAccount(limit: 100, reserve: 50)
    #expect(account.take(50, for: 1) && account.end(1) == [])
    #expect(account.take(50, for: 2) && account.end(2) == [])
    #expect(!account.take(1, for: 3))
    #expect(account.used == 100 && account.waitingCount == 1)
    #expect(account.free(1) == [3])
    #expect(account.used == 51 && account.waitingCount == 0)
    #expect(account.free(3) == [] && account.free(2) == [] && account.used == 0)
  }

  @Test func `bodies are served in order`() {
    let account = SharedAccount(limit: 100, reserve: 0)
    #expect(account.take(90, for: 1))
    #expect(!account.take(20, for: 2) && !account.take(5, for: 3) && !account.take(90, for: 4))
    #expect(account.free(1) == [2, 3])
    // A body that gives up makes room for the next ones.
    #expect(!account.take(5, for: 5))
    #expect(account.free(4) == [5])
    #expect(account.used == 30)
  }

  @Test func `the reserve is for one body at a time, then for the next one`() {
    let account = SharedAccount(limit: 100, reserve: 60)
    #expect(account.take(40, for: 1) && account.take(10, for: 2))
    #expect(!account.take(10, for: 1) && !account.take(10, for: 3))
    // 2 overtakes the waiting ones.
    #expect(account.take(40, for: 2) && account.used == 90)
    #expect(account.end(2) == [1])
    #expect(account.free(2) == [])
    #expect(account.free(1) == [3] && account.used == 10)
  }

  @Test func `the body that others wait for waits for complete ones itself`() {
    let account = SharedAccount(limit: 100, reserve: 50)
    #expect(account.take(50, for: 1) && account.end(1) == [])
    #expect(account.take(30, for: 2) && !account.take(30, for: 3) && !account.take(30, for: 2))
    #expect(account.free(1) == [2] && account.used == 60)
    #expect(account.end(2) == [3] && account.used == 90)
  }

  @Test func `a body that was never counted frees nothing`() {
    let account = SharedAccount(limit: 10, reserve: 100)
    #expect(account.account.reserve == 10 && account.free(7) == [] && account.end(7) == [])
    #expect(!account.take(11, for: 1) && account.take(10, for: 2) == false)
    #expect(account.free(1) == [2])
  }
}
