/// Tells how long a client has taken nothing of what waits to be sent to it.
struct WriteStall {
  private var progress: Int?
  private var since: UInt64 = 0

  /// Notes how far the client has come, nil where nothing waits for it, and when that was seen.
  ///
  /// - Returns: for how long it has taken nothing, in the unit of `now`.
  mutating func duration(at progress: Int?, now: UInt64) -> UInt64 {
    if progress == nil || progress != self.progress { since = now }
    self.progress = progress
    return now - since
  }
}
