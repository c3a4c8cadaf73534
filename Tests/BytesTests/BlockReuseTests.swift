import Testing

@testable import Bytes

@Suite struct BlockReuseTests {
  @Test func `Blocks are kept while somebody holds on to them, and given back with the last holder`() {
    var spare = SpareBlocks()
    let blocks = (0..<2).map { _ in UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1) }
    defer { for block in blocks { block.deallocate() } }
    let isKeptForNobody = spare.keep(blocks[0])
    spare.holderCount = 2
    let areKept = blocks.map { spare.keep($0) }
    let freedByFirst = spare.removeHolder()
    let used = spare.blocks.popLast()
    let freedByLast = spare.removeHolder()
    let isKeptAfterwards = spare.keep(blocks[1])
    #expect(!isKeptForNobody && areKept == [true, true] && !isKeptAfterwards)
    #expect(freedByFirst.isEmpty && used == blocks[1] && freedByLast == [blocks[0]])
  }

  @Test func `No more blocks are kept than one transfer needs`() {
    var spare = SpareBlocks()
    spare.holderCount = 1
    let block = UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1)
    defer { block.deallocate() }
    let areKept = (0...SpareBlocks.maximumCount).map { _ in spare.keep(block) }
    #expect(areKept.firstIndex(of: false) == SpareBlocks.maximumCount)
  }

  @Test func `Memory that is used again is as long as was asked for, and bytes in use are left alone`() {
    let reuse = BlockReuse()
    let size = BlockReuse.blockSize
    var kept: [Bytes] = []
    for number in 0..<(2 * SpareBlocks.maximumCount) {
      let bytes = Bytes(repeatElement(UInt8(number), count: size - number % 2))
      if number % 3 == 0 { kept.append(bytes) }
      #expect(bytes.count == size - number % 2)
    }
    for (index, bytes) in kept.enumerated() {
      #expect(bytes[0] == UInt8(3 * index) && bytes[size - 2] == bytes[0])
    }
    withExtendedLifetime(reuse) {}
  }
}
