public import Bytes
public import Loop

/// A file that is being written. It takes its name, or replaces another file, as a whole or not at all.
///
/// The owner calls `commit` or `abandon`, also in a cancelled task.
@LoopActor
public final class FileReplacement {
  /// The number of bytes after which their write-back to the disk begins, while more bytes arrive.
  nonisolated static let writebackSize: Int64 = 8 * 1024 * 1024

  /// Nil after `commit` and `abandon`.
  private var replacement: Replacement?
  private let queue = WriteQueue()
  /// Woken when the queue has room again, and when no job is left.
  private let progress = WaitQueue()
  private let cache = BlockCache(.transfer)

  /// The number of bytes that were given to `write`.
  private(set) var count: Int64 = 0

  init(_ replacement: Replacement) { self.replacement = replacement }

  /// Appends `bytes`. Waits for the disk if much has not been written yet. A later call may throw the error of this one.
  public func write(_ bytes: Bytes) async throws {
    guard let replacement else { throw UVError.cancelled }
    count += Int64(bytes.count)
    if try queue.append(bytes) { startWriting(to: replacement.file) }
    try await progress.wait { queue.hasRoom() }
  }

  /// Gives the file its name. The file is on disk when this returns.
  /// - Returns: true if the file is new, false if it replaced another.
  public func commit() async throws -> Bool {
    guard let replacement else { throw UVError.cancelled }
    if queue.complete() { startWriting(to: replacement.file) }
    try await progress.wait { !queue.hasJob }
    if let failure = queue.failure { throw failure }
    let isNew = try await Directory.slowCalls.withPermit {
      try await Pending { () throws(UVError) in try replacement.commit() }.value()
    }
    self.replacement = nil
    return isNew
  }

  /// Discards the file. Does nothing after a successful `commit`.
  public func abandon() async {
    // The job gets the last reference, so that the pool closes the file: that frees its blocks, which takes time.
    guard let abandoned = replacement else { return }
    replacement = nil
    queue.discard()
    await progress.waitRegardless { !queue.hasJob }
    _ = try? await Pending { () throws(UVError) in abandoned.abandon() }.valueRegardless()
  }

  /// Starts a job, and further ones while the queue needs them.
  private func startWriting(to file: Descriptor) {
    let job = Pending { [queue, progress] in
      Self.write(queue, to: file) { LoopActor.perform { progress.wakeAll() } }
    }
    LoopActor.task { [self] in
      _ = try? await job.valueRegardless()
      if queue.endJob() { startWriting(to: file) } else { progress.wakeAll() }
    }
  }

  /// Writes blocks until the queue has none for this job. Runs on the thread pool.
  private nonisolated static func write(
    _ queue: WriteQueue, to file: Descriptor, onRoom: () -> Void
  ) {
    while let block = queue.nextBlock() {
      var failure: UVError?
      do throws(UVError) {
        try file.write(block.pieces, at: block.offset)
        if let range = block.rangeToWriteBack { file.beginWriteback(range) }
      } catch {
        failure = error
      }
      if queue.finishBlock(failure) { onRoom() }
    }
  }
}

extension WriteQueue.Block {
  /// The range of `FileReplacement.writebackSize` bytes that this block completes; nil if it completes none.
  fileprivate var rangeToWriteBack: Range<Int64>? {
    let size = FileReplacement.writebackSize
    let end = (offset + Int64(count)) / size * size
    return end > offset ? (end - size)..<end : nil
  }
}
