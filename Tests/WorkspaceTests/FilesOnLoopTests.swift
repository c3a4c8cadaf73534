import Bytes
import Glibc
import Loop
import TestLoop
import Testing

@testable import Workspace

extension WorkspaceTests {
  @Suite struct FilesOnLoop {
    let workplace = Workplace()

    /// Numbers that identify their position: more than the queue holds, than one job writes, and than one write-back
    /// covers.
    static let large = Array(0..<UInt32(2_200_001)).withUnsafeBytes { Bytes($0) }

    @Test func `A large file is written in pieces and read in blocks`() async throws {
      let root = workplace.root
      try await TestLoop.run {
        let directory = try await Directory.open(root)
        let upload = try await directory.replaceFile(RelativePath("a/large"))
        for start in stride(from: 0, to: Self.large.count, by: 10_007) {
          try await upload.write(Self.large[start..<min(start + 10_007, Self.large.count)])
        }
        #expect(upload.count > FileReplacement.writebackSize)
        #expect(try await upload.commit())
        let file = try await directory.openFile(RelativePath("a/large"))
        var found = ByteBuffer()
        let blocks = file.blocks(3..<file.status.size)
        while let block = try await blocks.next() {
          #expect(block.count <= FileBlocks.blockSize)
          found.append(block)
        }
        #expect(found.takeAll() == Self.large[3...])
        file.close()
        #expect(throws: UVError.cancelled) { try file.startReading(1, at: 0) }
      }
    }

    @Test func `A file that shrinks while it is read is an error`() async throws {
      let root = workplace.root
      workplace.write("0123456789", to: "file")
      try await TestLoop.run {
        let file = try await Directory.open(root).openFile(RelativePath("file"))
        truncate(root + "/file", 4)
        let blocks = file.blocks(0..<10)
        #expect(try await blocks.next().map { String($0) } == "0123")
        await #expect(throws: UVError.endOfFile) { try await blocks.next() }
      }
    }

    @Test func `An upload whose task is cancelled leaves nothing`() async throws {
      let root = workplace.root
      try await TestLoop.run {
        let directory = try await Directory.open(root)
        let begun = WaitQueue()
        var hasBegun = false
        let task = Task { @LoopActor in
          let upload = try await directory.replaceFile(RelativePath("directory/file"))
          do {
            try await upload.write(Self.large)
            hasBegun = true
            begun.wakeAll()
            try await WaitQueue().wait { false }  // for a body that never goes on
            _ = try await upload.commit()
          } catch {
            await upload.abandon()
            throw error
          }
        }
        try await begun.wait { hasBegun }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
      }
      #expect(try workplace.names() == [])
    }

    @Test func `A cancelled task begins no call, and its upload can still be abandoned`()
      async throws
    {
      let root = workplace.root
      try await TestLoop.run {
        let directory = try await Directory.open(root)
        let upload = try await directory.replaceFile(RelativePath("file"))
        let task = Task { @LoopActor in
          withUnsafeCurrentTask { $0?.cancel() }
          for _ in 0..<20 { _ = try? await directory.list(RelativePath("")) }
          await upload.abandon()
          await upload.abandon()
        }
        await task.value
        await #expect(throws: UVError.cancelled) { try await upload.commit() }
      }
      #expect(try workplace.names() == [])
    }

    @Test func `More concurrent calls than threads all finish`() async throws {
      let root = workplace.root
      workplace.write("content", to: "file")
      try await TestLoop.run {
        let directory = try await Directory.open(root)
        let tasks = (0..<100).map { _ in
          Task { @LoopActor in try await directory.list(RelativePath("")).count }
        }
        for task in tasks { #expect(try await task.value == 1) }
      }
    }

    @Test func `Errors of the blocking calls are thrown on the loop`() async throws {
      let root = workplace.root
      workplace.makeDirectory("directory")
      try await TestLoop.run {
        let directory = try await Directory.open(root)
        await #expect(throws: UVError.noEntry) { try await directory.status(of: RelativePath("nothing")) }
        await #expect(throws: UVError.isDirectory) { try await directory.openFile(RelativePath("directory")) }
        await #expect(throws: UVError.busy) { try await directory.remove(RelativePath("")) }
        await #expect(throws: UVError.noEntry) { try await Directory.open(root + "/nothing") }
        try await directory.remove(RelativePath("directory"))
      }
      #expect(try workplace.names() == [])
    }
  }
}
