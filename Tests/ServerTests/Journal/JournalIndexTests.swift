import Testing

@testable import Server

@Suite struct JournalIndexTests {
  @Test func `every kept line is found at a mark or behind it`() {
    var random = SeededGenerator(seed: 1)
    for capacity in [1 << 10, 1 << 14, 1 << 20] as [Int64] {
      var index = JournalIndex(capacity: capacity)
      // Where each line begins, and its end.
      var offsets: [Int64] = [0]
      for _ in 0..<2000 {
        let length = Int.random(in: 1...200, using: &random)
        index.append(length)
        offsets.append((offsets.last ?? 0) + Int64(length))
        #expect(index.end == JournalIndex.Mark(line: offsets.count - 1, offset: offsets.last ?? 0))
        #expect(offsets[index.first.line] == index.first.offset)
        #expect(index.end.offset - index.first.offset <= capacity)
        let line = Int.random(in: 0..<offsets.count + 2, using: &random)
        switch index.place(of: line) {
        case .behind(let mark): #expect(mark.line <= line && offsets[mark.line] == mark.offset)
        case .dropped: #expect(line < index.first.line)
        case .ahead: #expect(line >= offsets.count)
        }
        let offset = Int64.random(in: index.first.offset...index.end.offset, using: &random)
        let end = offset + capacity / 4
        if let start = index.lastLineStart(behind: offset, upTo: end) {
          #expect(start > offset && start <= end && offsets.contains(start))
        } else {
          #expect(offset == index.end.offset || end < offset + capacity / 16 + 200)
        }
      }
    }
  }

  @Test func `most of the capacity is used`() {
    var index = JournalIndex(capacity: 1 << 20)
    for _ in 0..<100_000 { index.append(100) }
    #expect(index.end.offset - index.first.offset > (1 << 20) * 9 / 10)
  }

  @Test func `a line that is longer than the journal drops all, itself included`() {
    var index = JournalIndex(capacity: 1000)
    index.append(10)
    index.append(5000)
    #expect(index.first == JournalIndex.Mark(line: 2, offset: 5010))
    #expect(index.place(of: 1) == .dropped && index.place(of: 2) == .behind(index.end))
    index.append(10)
    #expect(index.first.line == 2 && index.end.line == 3)
  }

  @Test func `a journal that is restricted keeps only what lies behind the offset`() {
    var index = JournalIndex(capacity: 1 << 20)
    for _ in 0..<10_000 { index.append(100) }
    index.restrict(to: 100_000, from: 950_000)
    #expect(index.first.offset >= 950_000 && index.capacity == 100_000)
    for _ in 0..<10_000 { index.append(100) }
    #expect(index.end.offset - index.first.offset <= 100_000)
  }
}

/// A generator whose numbers depend on its seed alone (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
