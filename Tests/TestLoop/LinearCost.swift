import Glibc
public import Bytes
public import Testing

/// Text with quadratic cost wherever Swift compares, hashes or searches it as a `String`: a letter with combining
/// marks that are not in canonical order.
public func marks(_ length: Int) -> Bytes {
  Bytes("a" + String(repeating: "\u{301}\u{316}", count: length / 4))
}

/// Expects that `body` takes linear, not quadratic, time in the number of marks.
///
/// Eight times the length costs eight times as much if the cost is linear, and 64 times if it is quadratic. The bound
/// of 24 leaves room on both sides, as does the floor, which quadratic cost exceeds by far. Only this thread's
/// processor time is measured, so other load on the machine does not matter.
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

/// The shortest processor time of several tries in nanoseconds, unless that takes too long.
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
