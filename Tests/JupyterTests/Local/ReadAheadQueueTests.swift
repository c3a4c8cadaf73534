import Bytes
import Testing

@testable import Jupyter

@Suite struct ReadAheadQueueTests {
  private static let limit = 1 << 20

  private func parts(_ length: Int) -> [Bytes] { [Bytes([UInt8](repeating: 0, count: length))] }

  private func lengths(_ queue: inout ReadAheadQueue) -> [Int] {
    var lengths: [Int] = []
    while let parts = queue.popFirst() { lengths.append(parts.reduce(0) { $0 + $1.count }) }
    return lengths
  }

  @Test func `messages within the limit are kept in order`() throws {
    var queue = ReadAheadQueue(limit: Self.limit)
    for length in [100, 400_000, 200, 500_000] { try queue.append(parts(length)) }
    #expect(lengths(&queue) == [100, 400_000, 200, 500_000])
    #expect(queue.dropped == 0)
    #expect(queue.isEmpty)
  }

  @Test(arguments: [400_000, 2 << 20])
  func `short messages that wait do not cost a long one its place`(length: Int) throws {
    var queue = ReadAheadQueue(limit: Self.limit)
    for _ in 0..<500 { try queue.append(parts(100)) }
    try queue.append(parts(length))
    #expect(queue.dropped == 0)
    #expect(lengths(&queue).last == length)
  }

  @Test func `long messages do not displace short ones`() throws {
    var queue = ReadAheadQueue(limit: Self.limit)
    try queue.append(parts(2 << 20))
    for _ in 0..<500 { try queue.append(parts(100)) }
    #expect(lengths(&queue).count == 501)
  }

  @Test func `long messages beyond the limit are dropped and counted`() throws {
    var queue = ReadAheadQueue(limit: Self.limit)
    for _ in 0..<4 { try queue.append(parts(500_000)) }
    #expect(queue.takeDropped() == 2 * (500_000 + MessageQueue.overhead))
    #expect(queue.dropped == 0)
    #expect(lengths(&queue) == [500_000, 500_000])
    try queue.append(parts(500_000))
    #expect(lengths(&queue) == [500_000])
  }

  @Test func `short messages beyond the limit are an overrun`() throws {
    var queue = ReadAheadQueue(limit: Self.limit)
    let count = Self.limit / (100 + MessageQueue.overhead)
    for _ in 0..<count { try queue.append(parts(100)) }
    #expect(throws: KernelOverrun.self) { try queue.append(parts(100)) }
  }
}
