import Bytes
import Loop
import Testing

@testable import Workspace

@Suite struct WriteBacklogTests {
  let backlog = WriteBacklog()
  let block = Bytes(repeatElement(7, count: WriteBacklog.blockSize))
  let blocksOfJob = WriteBacklog.jobSize / WriteBacklog.blockSize
  let blocksOfLimit = WriteBacklog.limit / WriteBacklog.blockSize

  /// True where one of the appended blocks was to start a job.
  func append(blocks count: Int) throws -> Bool {
    try (0..<count).map { _ in try backlog.append(block) }.contains(true)
  }

  @Test func `A job is started when there is enough for one, and once`() throws {
    #expect(try !append(blocks: blocksOfJob - 1))
    #expect(try backlog.append(block))
    #expect(try !append(blocks: blocksOfJob))
    #expect(!backlog.complete())
  }

  @Test func `The job takes block after block, and goes on with what came meanwhile`() throws {
    _ = try append(blocks: blocksOfJob)
    for number in 0..<(blocksOfJob + 2) {
      let taken = try #require(backlog.take())
      #expect(taken.offset == Int64(number * WriteBacklog.blockSize) && taken.count == block.count)
      if number < 2 { #expect(try !backlog.append(block)) }
      #expect(!backlog.settle())
    }
    #expect(backlog.take() == nil)
    #expect(!backlog.endJob() && !backlog.hasJob)
    // That job is over: what comes now wants another one.
    #expect(try !append(blocks: blocksOfJob - 1))
    #expect(try backlog.append(block))
  }

  @Test func `What is less than a block is written at the end`() throws {
    #expect(try !backlog.append("some"))
    #expect(try !backlog.append("thing"))
    #expect(backlog.complete())
    let taken = try #require(backlog.take())
    #expect(taken.pieces == ["some", "thing"] && taken.offset == 0 && taken.count == 9)
    #expect(!backlog.settle())
    #expect(backlog.take() == nil)
    #expect(backlog.hasJob)
    #expect(!backlog.endJob() && !backlog.hasJob)
    #expect(!backlog.complete())
  }

  @Test func `A job that is under way writes the rest too`() throws {
    #expect(try append(blocks: blocksOfJob))
    #expect(try !backlog.append("rest"))
    #expect(!backlog.complete())
    var pieces: [Bytes] = []
    while let taken = backlog.take() {
      pieces += taken.pieces
      _ = backlog.settle()
    }
    #expect(pieces.count == blocksOfJob + 1 && pieces.last == "rest")
  }

  @Test func `A job ends after its quota, and says that another is needed`() throws {
    let total = WriteBacklog.blocksPerJob + blocksOfJob
    _ = try append(blocks: total)
    for _ in 0..<WriteBacklog.blocksPerJob {
      _ = try #require(backlog.take())
      _ = backlog.settle()
    }
    #expect(backlog.take() == nil)
    #expect(try !backlog.append("rest"), "the job has not ended")
    #expect(!backlog.complete())
    #expect(backlog.endJob() && backlog.hasJob)
    for number in WriteBacklog.blocksPerJob...total {
      let taken = try #require(backlog.take())
      #expect(taken.offset == Int64(number * WriteBacklog.blockSize))
      #expect(taken.count == (number == total ? 4 : block.count))
      _ = backlog.settle()
    }
    #expect(backlog.take() == nil)
    #expect(!backlog.endJob() && !backlog.hasJob)
  }

  @Test func `What comes while a job ends starts the next one, if it is enough for one`() throws {
    _ = try append(blocks: blocksOfJob)
    while backlog.take() != nil { _ = backlog.settle() }
    #expect(try !append(blocks: blocksOfJob))
    #expect(backlog.endJob())
    while backlog.take() != nil { _ = backlog.settle() }
    #expect(try !append(blocks: blocksOfJob - 1))
    #expect(!backlog.endJob())
    #expect(backlog.complete())
  }

  @Test func `Many small pieces are written before they are a block`() throws {
    let startsJob = try (0..<WriteBacklog.maximumPieces).map { _ in try backlog.append("x") }
    #expect(startsJob.firstIndex(of: true) == WriteBacklog.maximumPieces - 1)
    #expect(backlog.take()?.count == WriteBacklog.maximumPieces)
  }

  @Test func `Who appends waits at the limit, and is told when half of that is written`() throws {
    _ = try append(blocks: blocksOfLimit - 1)
    #expect(backlog.hasRoom())
    _ = try backlog.append(block)
    #expect(!backlog.hasRoom())
    var written = 0
    repeat {
      _ = try #require(backlog.take())
      written += WriteBacklog.blockSize
    } while !backlog.settle()
    #expect(WriteBacklog.limit - written < WriteBacklog.lowWater)
    #expect(WriteBacklog.limit - written >= WriteBacklog.lowWater - WriteBacklog.blockSize)
    #expect(backlog.hasRoom())
    // Once.
    _ = backlog.take()
    #expect(!backlog.settle())
  }

  @Test func `Small pieces have a limit of their own`() throws {
    var count = 0
    while backlog.hasRoom() {
      _ = try backlog.append("x")
      count += 1
    }
    #expect(count == WriteBacklog.limit / WriteBacklog.jobSize * WriteBacklog.maximumPieces)
    _ = backlog.take()
    #expect(backlog.settle())
  }

  @Test func `What the job fails with is told to who waits and to who appends`() throws {
    _ = try append(blocks: blocksOfLimit)
    #expect(!backlog.hasRoom())
    _ = backlog.take()
    #expect(backlog.settle(.noSpace))
    #expect(backlog.hasRoom())
    #expect(throws: UVError.noSpace) { try backlog.append(block) }
    #expect(backlog.take() == nil)
    #expect(!backlog.endJob() && !backlog.hasJob)
    #expect(!backlog.complete())
    #expect(backlog.failure == .noSpace)
  }

  @Test func `What is forgotten is not written`() throws {
    _ = try append(blocks: blocksOfJob)
    _ = backlog.take()
    backlog.discard()
    _ = backlog.settle()
    #expect(backlog.take() == nil)
    #expect(!backlog.endJob() && !backlog.hasJob)
    #expect(!backlog.complete())
  }
}
