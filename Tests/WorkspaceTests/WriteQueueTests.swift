import Bytes
import Loop
import Testing

@testable import Workspace

@Suite struct WriteQueueTests {
  let queue = WriteQueue()
  let block = Bytes(repeatElement(7, count: WriteQueue.blockSize))
  let blocksOfJob = WriteQueue.jobSize / WriteQueue.blockSize
  let blocksOfLimit = WriteQueue.limit / WriteQueue.blockSize

  /// True if one of the appended blocks starts a job.
  func append(blocks count: Int) throws -> Bool {
    try (0..<count).map { _ in try queue.append(block) }.contains(true)
  }

  @Test func `A job starts once, when enough bytes are queued`() throws {
    #expect(try !append(blocks: blocksOfJob - 1))
    #expect(try queue.append(block))
    #expect(try !append(blocks: blocksOfJob))
    #expect(!queue.complete())
  }

  @Test func `The job takes block after block, including new ones`() throws {
    _ = try append(blocks: blocksOfJob)
    for number in 0..<(blocksOfJob + 2) {
      let taken = try #require(queue.nextBlock())
      #expect(taken.offset == Int64(number * WriteQueue.blockSize) && taken.count == block.count)
      if number < 2 { #expect(try !queue.append(block)) }
      #expect(!queue.finishBlock())
    }
    #expect(queue.nextBlock() == nil)
    #expect(!queue.endJob() && !queue.hasJob)
    // That job has ended: further bytes need another one.
    #expect(try !append(blocks: blocksOfJob - 1))
    #expect(try queue.append(block))
  }

  @Test func `Less than a block is written at the end`() throws {
    #expect(try !queue.append("some"))
    #expect(try !queue.append("thing"))
    #expect(queue.complete())
    let taken = try #require(queue.nextBlock())
    #expect(taken.pieces == ["some", "thing"] && taken.offset == 0 && taken.count == 9)
    #expect(!queue.finishBlock())
    #expect(queue.nextBlock() == nil)
    #expect(queue.hasJob)
    #expect(!queue.endJob() && !queue.hasJob)
    #expect(!queue.complete())
  }

  @Test func `A running job also writes the rest`() throws {
    #expect(try append(blocks: blocksOfJob))
    #expect(try !queue.append("rest"))
    #expect(!queue.complete())
    var pieces: [Bytes] = []
    while let taken = queue.nextBlock() {
      pieces += taken.pieces
      _ = queue.finishBlock()
    }
    #expect(pieces.count == blocksOfJob + 1 && pieces.last == "rest")
  }

  @Test func `A job ends after its quota, and another one is needed`() throws {
    let total = WriteQueue.blocksPerJob + blocksOfJob
    _ = try append(blocks: total)
    for _ in 0..<WriteQueue.blocksPerJob {
      _ = try #require(queue.nextBlock())
      _ = queue.finishBlock()
    }
    #expect(queue.nextBlock() == nil)
    #expect(try !queue.append("rest"), "the job has not ended")
    #expect(!queue.complete())
    #expect(queue.endJob() && queue.hasJob)
    for number in WriteQueue.blocksPerJob...total {
      let taken = try #require(queue.nextBlock())
      #expect(taken.offset == Int64(number * WriteQueue.blockSize))
      #expect(taken.count == (number == total ? 4 : block.count))
      _ = queue.finishBlock()
    }
    #expect(queue.nextBlock() == nil)
    #expect(!queue.endJob() && !queue.hasJob)
  }

  @Test func `Bytes that arrive while a job ends start the next one, if they are enough`() throws {
    _ = try append(blocks: blocksOfJob)
    while queue.nextBlock() != nil { _ = queue.finishBlock() }
    #expect(try !append(blocks: blocksOfJob))
    #expect(queue.endJob())
    while queue.nextBlock() != nil { _ = queue.finishBlock() }
    #expect(try !append(blocks: blocksOfJob - 1))
    #expect(!queue.endJob())
    #expect(queue.complete())
  }

  @Test func `Many small pieces are written before they fill a block`() throws {
    let startsJob = try (0..<WriteQueue.maximumPieces).map { _ in try queue.append("x") }
    #expect(startsJob.firstIndex(of: true) == WriteQueue.maximumPieces - 1)
    #expect(queue.nextBlock()?.count == WriteQueue.maximumPieces)
  }

  @Test func `Writers wait at the limit, and continue when half of it is written`() throws {
    _ = try append(blocks: blocksOfLimit - 1)
    #expect(queue.hasRoom())
    _ = try queue.append(block)
    #expect(!queue.hasRoom())
    var written = 0
    repeat {
      _ = try #require(queue.nextBlock())
      written += WriteQueue.blockSize
    } while !queue.finishBlock()
    #expect(WriteQueue.limit - written < WriteQueue.lowWater)
    #expect(WriteQueue.limit - written >= WriteQueue.lowWater - WriteQueue.blockSize)
    #expect(queue.hasRoom())
    // Once.
    _ = queue.nextBlock()
    #expect(!queue.finishBlock())
  }

  @Test func `Small pieces have their own limit`() throws {
    var count = 0
    while queue.hasRoom() {
      _ = try queue.append("x")
      count += 1
    }
    #expect(count == WriteQueue.limit / WriteQueue.jobSize * WriteQueue.maximumPieces)
    _ = queue.nextBlock()
    #expect(queue.finishBlock())
  }

  @Test func `An error of the job reaches waiting and later writers`() throws {
    _ = try append(blocks: blocksOfLimit)
    #expect(!queue.hasRoom())
    _ = queue.nextBlock()
    #expect(queue.finishBlock(.noSpace))
    #expect(queue.hasRoom())
    #expect(throws: UVError.noSpace) { try queue.append(block) }
    #expect(queue.nextBlock() == nil)
    #expect(!queue.endJob() && !queue.hasJob)
    #expect(!queue.complete())
    #expect(queue.failure == .noSpace)
  }

  @Test func `Discarded bytes are not written`() throws {
    _ = try append(blocks: blocksOfJob)
    _ = queue.nextBlock()
    queue.discard()
    _ = queue.finishBlock()
    #expect(queue.nextBlock() == nil)
    #expect(!queue.endJob() && !queue.hasJob)
    #expect(!queue.complete())
  }
}
