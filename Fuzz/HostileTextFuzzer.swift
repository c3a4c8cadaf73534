import Glibc
import Bytes

/// Text of hostile pieces, wherever a peer can put some. The first byte chooses the place, the others the pieces.
///
/// The time that it takes grows as its length. What takes 50 times as long as plain text of the same length, and more than
/// 32 times as long as an eighth of itself, does not: a multiple of eight of the length costs eight times as much where the
/// cost is linear, and 64 times where it is the square. It is the processor's time of this thread that is looked at, so
/// that it matters little what else runs on the machine: memory that is new to the process still costs more beside others,
/// and only the longer text takes blocks that are new each time. (26 times was seen, of a cost that is linear.)
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHostileText(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard count > 2 else { return 0 }
  let input = fuzzInput(start, count)
  let index = Int(input[0]) % Place.all.count
  let place = Place.all[index]
  let hostile = HostileText(input[1...])
  let text = hostile.bytes(length)
  let bound = 50 * plainCosts[index]
  var cost = leastCost(of: place, text, tries: 1)
  if cost <= bound { return 0 }
  cost = leastCost(of: place, text, tries: 10)
  let base = leastCost(of: place, hostile.bytes(length / 8), tries: 10)
  check(
    cost <= bound || cost <= 32 * base,
    "\(place.name): \(length) bytes take \(cost) ns, an eighth of them \(base), plain text \(plainCosts[index])"
  )
  return 0
}

/// In bytes: as a `String`, so many combining marks take half a second to be hashed, and nothing else does.
private let length = 64 << 10

/// What plain text of that length costs at each place, in nanoseconds: the median.
private let plainCosts: [Int] = {
  let plain = Bytes([UInt8](repeating: UInt8(ascii: "a"), count: length))
  return Place.all.map { place in
    let costs = (0..<5).map { _ in leastCost(of: place, plain, tries: 1) }
    // What is refused at its first byte costs nothing, while other text is read to its end.
    return max(costs.sorted()[2], 2 * length)
  }
}()

private func leastCost(of place: Place, _ text: Bytes, tries: Int) -> Int {
  (0..<tries).reduce(Int.max) { least, _ in
    let start = threadTime()
    place.use(text)
    return min(least, threadTime() - start)
  }
}

private func threadTime() -> Int {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
