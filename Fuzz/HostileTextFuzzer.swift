import Glibc
import Bytes

/// Puts hostile text wherever a peer can put text. The first byte chooses the place, the others the pieces of the text.
///
/// The time must grow in proportion to the length. It does not if a text takes 50 times as long as plain text of the same
/// length, and more than 32 times as long as an eighth of itself: eight times the length costs eight times as much if the
/// cost is linear, and 64 times if it is quadratic. Only this thread's processor time is measured, so that other load on the
/// machine matters little. Memory that is new to the process still costs more under load, and only the longer text takes
/// blocks that are new each time. (A factor of 26 was seen for a linear cost.)
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

/// In bytes. A `String` with so many combining marks takes half a second to hash, and nothing else does.
private let length = 64 << 10

/// The median cost of plain text of that length at each place, in nanoseconds.
private let plainCosts: [Int] = {
  let plain = Bytes([UInt8](repeating: UInt8(ascii: "a"), count: length))
  return Place.all.map { place in
    let costs = (0..<5).map { _ in leastCost(of: place, plain, tries: 1) }
    // Plain text that is refused at its first byte costs nothing, while other text is read to its end.
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
