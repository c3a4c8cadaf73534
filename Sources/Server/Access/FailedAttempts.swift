import OrderedCollections

/// Counts the wrong tokens of each client, and says how long the answer to the next one waits.
///
/// Clients are told apart by their network: an IPv4 address, or the 64 bits of IPv6 that one customer of a provider has.
/// A right token never waits, whoever has guessed from the same address. To guess a token of `AccessToken.shortestSafe`
/// characters is hopeless at any rate; the delay keeps a client that tries from filling the log.
struct FailedAttempts {
  /// The most networks that are remembered. Of more, those are forgotten that have failed the longest time ago.
  static let mostNetworks = 1024
  /// The failures that wait for nothing: a client that was set up wrong is answered at once.
  static let free = 3
  /// The first delay, in nanoseconds; it doubles with each failure.
  static let shortestDelay: UInt64 = 250_000_000
  /// The longest delay, in nanoseconds.
  static let longestDelay: UInt64 = 4_000_000_000
  /// A network that has not failed for so long is forgotten, in nanoseconds.
  static let memory: UInt64 = 900_000_000_000
  /// The most answers to one network that wait at once; each occupies a connection.
  static let mostWaitingPerNetwork = 16
  /// The most answers that wait at once.
  static let mostWaiting = 256

  private struct Entry {
    var count = 0
    var last: UInt64 = 0
    var waiting = 0
  }

  /// What to do with one failed attempt.
  enum Verdict: Equatable {
    /// Answer after so many nanoseconds; `endWait` must follow if there are any.
    case answer(after: UInt64)
    /// Too many answers wait already: answer at once, and close the connection.
    case answerAndClose
  }

  /// The one that failed last comes last.
  private var entries: OrderedDictionary<String, Entry> = [:]
  private(set) var waiting = 0

  /// How many networks are remembered.
  var count: Int { entries.count }

  /// Records a failure at `now`, in nanoseconds.
  mutating func record(from network: String, at now: UInt64) -> Verdict {
    var entry = entries.removeValue(forKey: network) ?? Entry()
    if now - min(entry.last, now) > Self.memory { entry.count = 0 }
    entry.count += 1
    entry.last = now
    let delay = Self.delay(after: entry.count)
    let isCrowded = entry.waiting >= Self.mostWaitingPerNetwork || waiting >= Self.mostWaiting
    if delay > 0, !isCrowded {
      entry.waiting += 1
      waiting += 1
    }
    entries[network] = entry
    makeRoom()
    return delay > 0 && isCrowded ? .answerAndClose : .answer(after: delay)
  }

  /// An answer has waited for its time.
  mutating func endWait(of network: String) {
    waiting -= 1
    entries[network]?.waiting -= 1
  }

  private static func delay(after count: Int) -> UInt64 {
    guard count > free else { return 0 }
    return min(shortestDelay << UInt64(min(count - free - 1, 16)), longestDelay)
  }

  /// Networks with waiting answers stay: there are at most `mostWaiting` of them.
  private mutating func makeRoom() {
    guard entries.count > Self.mostNetworks else { return }
    if let oldest = entries.elements.firstIndex(where: { $0.value.waiting == 0 }) {
      entries.remove(at: oldest)
    }
  }
}
