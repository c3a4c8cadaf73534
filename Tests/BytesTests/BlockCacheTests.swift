import Testing

@testable import Bytes

@Suite struct BlockCacheTests {
  /// A block that is never read or written.
  private func block(_ length: Int) -> Block {
    Block(base: .allocate(byteCount: 1, alignment: 1), length: length)
  }

  @Test func `Blocks are kept while a cache exists, and freed with the last one`() {
    var spare = SpareBlocks(maximumCount: 2, longest: 10)
    let blocks = [block(10), block(10)]
    defer { for block in blocks { block.base.deallocate() } }
    let refused = spare.keep(blocks[0])
    spare.addHolder()
    spare.addHolder()
    let freed = blocks.map { spare.keep($0) }
    let freedByFirst = spare.removeHolder()
    let used = spare.take()
    let freedByLast = spare.removeHolder()
    let refusedAfterwards = spare.keep(blocks[1])
    #expect(refused == blocks[0] && freed == [nil, nil] && refusedAfterwards == blocks[1])
    #expect(freedByFirst == [] && used == blocks[1] && freedByLast == [blocks[0]])
  }

  @Test(arguments: [1, 16])
  func `No more blocks are kept than may be, and those that were used last`(maximumCount: Int) {
    var spare = SpareBlocks(maximumCount: maximumCount, longest: 100)
    spare.addHolder()
    let blocks = (0...maximumCount).map { block(10 + $0) }
    defer { for block in blocks { block.base.deallocate() } }
    let freed = blocks.map { spare.keep($0) }
    #expect(freed == Array(repeating: nil, count: maximumCount) + [blocks[0]])
    let used = (0...maximumCount).map { _ in spare.take() }
    #expect(used == blocks.dropFirst().reversed() + [nil])
  }

  @Test func `A block that is too long is not kept`() {
    var spare = SpareBlocks(maximumCount: 2, longest: 10)
    spare.addHolder()
    let blocks = [block(10), block(11)]
    defer { for block in blocks { block.base.deallocate() } }
    let freed = blocks.map { spare.keep($0) }
    #expect(freed == [nil, blocks[1]])
  }

  @Test func `Long blocks are whole huge pages, at any length`() {
    let lengths = [1, 256 << 10, 8 << 20, (8 << 20) + 1, .max].map { BlockCache.blockLength($0) }
    #expect(lengths == [1, 256 << 10, 8 << 20, 10 << 20, .max])
  }

  @Test
  func
    `Reused transfer blocks have at least the requested length, and blocks in use are not touched`()
  {
    let cache = BlockCache(.transfer)
    let size = BlockCache.transferLength
    var kept: [Bytes] = []
    for number in 0..<32 {
      let bytes = Bytes(repeatElement(UInt8(number), count: size - number % 2))
      if number % 3 == 0 { kept.append(bytes) }
      #expect(bytes.count == size - number % 2)
    }
    for (index, bytes) in kept.enumerated() {
      #expect(bytes[0] == UInt8(3 * index) && bytes[size - 2] == bytes[0])
    }
    withExtendedLifetime(cache) {}
  }

  @Test func `Reused long blocks have at least the requested length, and blocks in use are not touched`() {
    let cache = BlockCache(.longMessage)
    let size = BlockCache.smallestLong
    func bytes(_ number: Int) -> Bytes { Bytes(sharing: storage(size + number, filled: UInt8(number))) }
    let kept = bytes(1)
    for number in 2..<6 {
      let next = bytes(number)
      #expect(next.count == size + number && next[0] == UInt8(number) && next[size] == UInt8(number))
    }
    #expect(kept.count == size + 1 && kept[0] == 1 && kept[size] == 1)
    withExtendedLifetime(cache) {}
  }

  private func storage(_ capacity: Int, filled byte: UInt8) -> ByteStorage {
    let storage = ByteStorage(capacity: capacity)
    storage.base.initializeMemory(as: UInt8.self, repeating: byte, count: capacity)
    return storage
  }
}
