import Glibc
public import Bytes
public import Testing

/// Text that costs the square of its length wherever Swift compares, hashes or searches it as a `String`: a letter with
/// marks that combine with it, in an order that a normal form changes.
public func marks(_ length: Int) -> Bytes {
  Bytes("a" + String(repeating: "\u{301}\u{316}", count: length / 4))
}

/// Expects that what `body` does with marks takes as long as there are many of them, and not the square of that.
///
/// A multiple of eight of the length costs eight times as much where the cost is linear, and 64 times where it is not: the
/// bound of 24 leaves room for both, and so does the floor, which the square of the length exceeds by far. It is the
/// processor's time of this thread that is looked at, whatever else runs on the machine.
public func expectLinearCost(
  _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ body: (Bytes) throws -> Void
) rethrows {
  let short = marks(16 << 10), long = marks(128 << 10)
  let base = try leastCost { try body(short) }
  let cost = try leastCost { try body(long) }
  #expect(
    cost <= max(24 * base, 20_000_000), "\(what): \(base) ns, of eight times the length \(cost) ns",
    sourceLocation: sourceLocation)
}

/// The processor's time in nanoseconds, of several tries the shortest, unless that takes too long.
private func leastCost(_ body: () throws -> Void) rethrows -> Int {
  var least = Int.max
  for _ in 0..<3 where least > 50_000 {
    let start = threadTime()
    try body()
    least = min(least, threadTime() - start)
    if least > 500_000_000 { break }
  }
  return least
}

private func threadTime() -> Int {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
