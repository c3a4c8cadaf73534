import Bytes
import TestLoop
import Testing

@testable import HTTPServer

@Suite struct BodyCollectorTests {
  /// The sum of the charges after each piece.
  private func charges(length: Int?, pieces: [Int]) -> [Int] {
    var collector = BodyCollector(length: length)
    var sums: [Int] = []
    for count in pieces {
      let piece = Bytes([UInt8](repeating: 0x61, count: count))
      sums.append((sums.last ?? 0) + collector.charge(for: piece))
      collector.append(piece)
    }
    return sums
  }

  @Test func `a short body is not counted, a longer one from its beginning`() {
    #expect(charges(length: nil, pieces: [10_000, 6384]) == [0, 0])
    #expect(charges(length: nil, pieces: [10_000, 6385, 1]) == [0, 16_385, 16_386])
    #expect(charges(length: 20_000, pieces: [16_384, 3616]) == [0, 20_000])
  }

  @Test func `a long body is counted in pages, and never above its length`() {
    let page = 2 << 20, length = 9 << 20
    #expect(charges(length: length, pieces: [100, 20_000, page - 20_100, 1]) == [0, page, page, 2 * page])
    #expect(charges(length: length, pieces: [length - 1, 1]) == [length, length])
  }

  @Test func `a body is joined into one block, however it arrived`() async throws {
    for pieces in [[], [5], [3 << 20, 1], [Int](repeating: 300_000, count: 10)] {
      for isKnown in [true, false] {
        let bytes = pieces.enumerated().map { Bytes([UInt8](repeating: UInt8($0.offset), count: $0.element)) }
        let all = try await TestLoop.run {
          var collector = BodyCollector(length: isKnown ? pieces.reduce(0, +) : nil)
          for piece in bytes { collector.append(piece) }
          return try await collector.takeAll()
        }
        #expect(all == Bytes.join(bytes))
      }
    }
  }
}
