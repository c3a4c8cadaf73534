/// Tells a steady flow of small reads from questions and their answers.
struct ReadFlow {
  /// How many reads in a row make a flow. An execution that says little has fewer.
  static let leastReads = 16
  /// How long after the last one a read may come and still belong to it, in nanoseconds.
  static let longestGap: UInt64 = 5_000_000
  /// A read of so many bytes is worth its system call, and needs no company.
  static let largeRead = 64 * 1024
  /// Of what has gathered the first read brings what was under way. A peer with Nagle's algorithm on (RFC 9293, section
  /// 3.7.4) sends the rest when that is acknowledged, and the next read brings it.
  static let readsBetweenWaits = 2

  private var lastRead: UInt64 = 0
  private var count = 0
  private var sinceWait = 0

  /// A read has brought something; true where the next one had better wait for more to gather.
  mutating func didRead(_ size: Int, at now: UInt64) -> Bool {
    let isSmallAndSoon = size < Self.largeRead && now - lastRead <= Self.longestGap
    lastRead = now
    guard isSmallAndSoon else {
      restart()
      return false
    }
    count = min(count + 1, Self.leastReads)
    guard count == Self.leastReads else { return false }
    sinceWait += 1
    guard sinceWait == Self.readsBetweenWaits else { return false }
    sinceWait = 0
    return true
  }

  /// What comes now is the answer to something new.
  mutating func restart() {
    count = 0
    sinceWait = 0
  }
}
