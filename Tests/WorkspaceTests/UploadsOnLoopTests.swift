import Bytes
import Glibc
import TestLoop
import Testing

@testable import Loop
@testable import Workspace

extension WorkspaceTests {
  @Suite struct UploadsOnLoop {
    static let block = Bytes(repeatElement(7, count: WriteQueue.blockSize))
    static let bytesPerJob = Int64(WriteQueue.blocksPerJob * WriteQueue.blockSize)

    let workplace = Workplace()

    @Test func `Other work runs while an upload always has more to write`() async throws {
      let tree = try workplace.tree()
      try await TestLoop.run {
        let plug = try PoolPlug()
        let replacement = try Replacement(tree, RelativePath("file"))
        let upload = FileReplacement(replacement)
        let writers = await fill(upload, blocks: WriteQueue.blocksPerJob * 5 / 2)
        let other = Pending { () throws(UVError) in try replacement.file.status().size }
        plug.releaseOne()
        #expect(try await other.value() == Self.bytesPerJob, "after one job, and before the next")
        for writer in writers { try await writer.value }
        #expect(try await upload.commit())
        await plug.remove()
      }
      #expect(try tree.status(RelativePath("file")).size == Self.bytesPerJob * 5 / 2)
    }

    @Test func `An error in a later job reaches the commit`() async throws {
      let tree = try workplace.tree()
      try await TestLoop.run {
        let plug = try PoolPlug()
        let replacement = try Replacement(tree, RelativePath("file"))
        let upload = FileReplacement(replacement)
        let writers = await fill(upload, blocks: WriteQueue.blocksPerJob * 3 / 2)
        let other = Pending { replacement.file.becomeFull() }
        plug.releaseOne()
        try await other.value()
        await #expect(throws: UVError.noSpace) { try await upload.commit() }
        for writer in writers { try await writer.value }
        await upload.abandon()
        await plug.remove()
      }
      #expect(try workplace.names() == [])
    }

    @Test func `A full disk is reported to later writes`() async throws {
      let tree = try workplace.tree()
      try await TestLoop.run {
        let upload = try fullUpload(tree)
        let blocksOfLimit = WriteQueue.limit / WriteQueue.blockSize
        await #expect(throws: UVError.noSpace) {
          for _ in 0...blocksOfLimit { try await upload.write(Self.block) }
        }
        await #expect(throws: UVError.noSpace) { try await upload.commit() }
        await upload.abandon()
      }
      #expect(try workplace.names() == [])
    }

    @Test func `A full disk is reported by the commit if no later write follows`() async throws {
      let tree = try workplace.tree()
      try await TestLoop.run {
        let upload = try fullUpload(tree)
        try await upload.write("little")
        await #expect(throws: UVError.noSpace) { try await upload.commit() }
        await upload.abandon()
      }
      #expect(try workplace.names() == [])
    }

    @Test func `An upload abandoned while a job writes leaves no name and no open file`() async throws {
      var tree = try workplace.tree()
      tree.canLinkUnnamedFiles = false  // so that there is a name that could stay
      try await TestLoop.run { [tree] in
        for blocks in [0, 4, 5, 15] {
          let (upload, file) = try watchedUpload(tree)
          for _ in 0..<blocks { try await upload.write(Self.block) }
          #expect(file.isOpen)
          await upload.abandon()
          #expect(!file.isOpen)
        }
      }
      #expect(try workplace.names() == [])
    }

    @Test func `A cancelled commit does not wait for a thread, and the upload can be abandoned`()
      async throws
    {
      let tree = try workplace.tree()
      try await TestLoop.run {
        let plug = try PoolPlug()
        let upload = FileReplacement(try Replacement(tree, RelativePath("file")))
        let writers = await fill(upload, blocks: WriteQueue.blocksPerJob * 2)
        let commit = LoopActor.task { try await upload.commit() }
        commit.cancel()
        await #expect(throws: CancellationError.self) { try await commit.value }
        let end = LoopActor.task { await upload.abandon() }
        plug.releaseOne()
        await end.value
        // Waiting writers get the error, although nothing was written.
        for writer in writers { try await writer.value }
        await #expect(throws: UVError.cancelled) { try await upload.write(Self.block) }
        await plug.remove()
      }
      #expect(try workplace.names() == [])
    }
  }
}

/// Starts `blocks` writers that append a block each. Those beyond the limit wait for room.
@LoopActor
private func fill(_ upload: FileReplacement, blocks: Int) async -> [Task<Void, any Error>] {
  let writers = (0..<blocks).map { _ in
    LoopActor.task { try await upload.write(WorkspaceTests.UploadsOnLoop.block) }
  }
  let total = Int64(blocks * WriteQueue.blockSize)
  while upload.count < total { await Task.yield() }
  return writers
}

/// An upload to a full disk.
@LoopActor
private func fullUpload(_ tree: Tree) throws -> FileReplacement {
  let replacement = try Replacement(tree, RelativePath("file"))
  replacement.file.becomeFull()
  return FileReplacement(replacement)
}

/// An upload that shows whether its file is still open.
@LoopActor
private func watchedUpload(_ tree: Tree) throws -> (FileReplacement, WatchedFile) {
  let replacement = try Replacement(tree, RelativePath("file"))
  return (FileReplacement(replacement), WatchedFile(replacement.file))
}

private struct WatchedFile {
  private weak let descriptor: Descriptor?

  init(_ descriptor: Descriptor) { self.descriptor = descriptor }

  var isOpen: Bool { descriptor != nil }
}

extension Descriptor {
  /// Replaces the file by a device without space.
  fileprivate func becomeFull() {
    let full = Descriptor(adopting: Glibc.open("/dev/full", O_WRONLY | O_CLOEXEC))
    dup2(full.number, number)
  }
}
