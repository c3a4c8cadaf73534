import Testing

@testable import Bytes

@Suite struct LargeBlockReuseTests {
  /// A block that is never touched.
  private func block(_ length: Int) -> LargeBlock {
    LargeBlock(base: .allocate(byteCount: 1, alignment: 1), length: length)
  }

  @Test func `The last block is kept while somebody holds on to it, and given back with the last holder`() {
    var spare = SpareLargeBlock()
    let blocks = [block(10), block(20)]
    defer { for block in blocks { block.base.deallocate() } }
    let refused = spare.keep(blocks[0])
    spare.holderCount = 2
    let freedByFirst = spare.keep(blocks[0])
    let freedBySecond = spare.keep(blocks[1])
    let freedByOneHolder = spare.removeHolder()
    let used = spare.take()
    let nothing = spare.take()
    let freedByReturn = spare.keep(blocks[1])
    let freedByLastHolder = spare.removeHolder()
    #expect(refused == blocks[0] && freedByFirst == nil && freedBySecond == blocks[0])
    #expect(freedByOneHolder == nil && used == blocks[1] && nothing == nil)
    #expect(freedByReturn == nil && freedByLastHolder == blocks[1])
  }

  @Test func `What is too long is not kept`() {
    var spare = SpareLargeBlock()
    spare.holderCount = 1
    let blocks = [block(SpareLargeBlock.longestKept), block(SpareLargeBlock.longestKept + 1)]
    defer { for block in blocks { block.base.deallocate() } }
    let freed = blocks.map { spare.keep($0) }
    #expect(freed == [nil, blocks[1]])
  }

  @Test func `Lengths are rounded up to whole large pages, and none is too large for that`() {
    let lengths = [1, 2 << 20, (2 << 20) + 1, .max].map { LargeBlockReuse.reservedLength($0) }
    #expect(lengths == [2 << 20, 2 << 20, 4 << 20, .max])
  }

  @Test func `Memory that is used again is as long as was asked for, and bytes in use are left alone`() {
    let reuse = LargeBlockReuse()
    let size = LargeBlockReuse.smallestBlock
    func bytes(_ number: Int) -> Bytes { Bytes(sharing: storage(size + number, filled: UInt8(number))) }
    let kept = bytes(1)
    for number in 2..<6 {
      let next = bytes(number)
      #expect(next.count == size + number && next[0] == UInt8(number) && next[size] == UInt8(number))
    }
    #expect(kept.count == size + 1 && kept[0] == 1 && kept[size] == 1)
    withExtendedLifetime(reuse) {}
  }

  private func storage(_ capacity: Int, filled byte: UInt8) -> ByteStorage {
    let storage = ByteStorage(capacity: capacity)
    storage.base.initializeMemory(as: UInt8.self, repeating: byte, count: capacity)
    return storage
  }
}
