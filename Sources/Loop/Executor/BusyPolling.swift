/// Decides, when the loop has nothing to do, whether it looks at its sockets again at once or sleeps.
///
/// To sleep and be woken takes some 30 µs, which is half of what a small request takes whose client sends the next one as
/// soon as it has the answer. So while work keeps coming soon the loop waits for it awake, and sleeps again when it has
/// done so in vain once. Linux has the same for a single socket (`SO_BUSY_POLL`), and KVM for idle processors
/// (`halt_poll_ns`).
struct BusyPolling {
  /// How long the loop waits awake, in nanoseconds. A client on the same machine takes some 30 µs for its next request.
  static let limit: UInt64 = 50_000
  /// How many times in a row work must have come so soon before: who is served once in a while is not waited for.
  static let streak = 8

  /// Since when there is nothing to do; nil while there is.
  private var idleSince: UInt64?
  private var soonCount = 0

  /// Work has come.
  mutating func didReceiveWork(at now: UInt64) {
    guard let idleSince else { return }
    self.idleSince = nil
    soonCount = now - idleSince < Self.limit ? min(soonCount + 1, Self.streak) : 0
  }

  /// There is nothing to do; true where the loop had better look again than sleep.
  mutating func shouldLookAgain(at now: UInt64) -> Bool {
    guard let idleSince else {
      self.idleSince = now
      return soonCount == Self.streak
    }
    if now - idleSince >= Self.limit { soonCount = 0 }
    return soonCount == Self.streak
  }
}
