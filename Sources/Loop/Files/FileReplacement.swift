import CUV
public import Bytes

/// A file that is being written and takes its name, or the place of another file, whole or not at all.
///
/// Whoever begins one calls `commit` or `abandon`, also when the task has been cancelled.
@LoopActor
public final class FileReplacement {
  /// The disk begins with this much at a time, while more is coming.
  nonisolated static let writebackSize: Int64 = 8 * 1024 * 1024

  /// nil when it is over.
  private var replacement: Replacement?
  private let backlog = WriteBacklog()
  /// Woken when there is room again, and when no job is left.
  private let progress = WaitQueue()
  private let reuse = BlockReuse()

  /// Bytes that `write` has been given.
  public private(set) var count: Int64 = 0

  init(_ replacement: Replacement) { self.replacement = replacement }

  /// Appends `bytes`. Waits for the disk where much is behind; errors may come a call later.
  public func write(_ bytes: Bytes) async throws {
    guard let replacement else { throw UVError.cancelled }
    count += Int64(bytes.count)
    if try backlog.append(bytes) { startWriting(to: replacement.file) }
    try await progress.wait { backlog.hasRoom() }
  }

  /// Puts the file under its name; when this returns it is on the disk.
  /// - Returns: true where it is new, false where it took another's place.
  public func commit() async throws -> Bool {
    guard let replacement else { throw UVError.cancelled }
    if backlog.complete() { startWriting(to: replacement.file) }
    try await progress.wait { !backlog.hasJob }
    if let failure = backlog.failure { throw failure }
    let isNew = try await SlowLane.run { () throws(UVError) in try replacement.commit() }
    self.replacement = nil
    return isNew
  }

  /// Forgets what was written; nothing of it stays. Does nothing after a `commit` that succeeded.
  public func abandon() async {
    // Taken away here, so that the job has the last reference: to close a large file frees its blocks, which lasts.
    guard let abandoned = replacement else { return }
    replacement = nil
    backlog.discard()
    await progress.waitRegardless { !backlog.hasJob }
    _ = try? await Pending { () throws(UVError) in abandoned.abandon() }.valueRegardless()
  }

  /// Begins a job, and the next one when it has ended, for as long as the backlog wants one.
  private func startWriting(to file: Descriptor) {
    let job = Pending { [backlog, progress] in
      Self.write(backlog, to: file) { LoopActor.perform { progress.wakeAll() } }
    }
    LoopActor.task { [self] in
      _ = try? await job.valueRegardless()
      if backlog.endJob() { startWriting(to: file) } else { progress.wakeAll() }
    }
  }

  /// Writes as long as the backlog gives blocks. On a thread of the pool.
  private nonisolated static func write(
    _ backlog: WriteBacklog, to file: Descriptor, onRoom: () -> Void
  ) {
    while let block = backlog.take() {
      var failure: UVError?
      do throws(UVError) {
        try file.write(block.pieces, at: block.offset)
        if let range = block.rangeToWriteBack { file.beginWriteback(range) }
      } catch {
        failure = error
      }
      if backlog.settle(failure) { onRoom() }
    }
  }
}

extension WriteBacklog.Block {
  /// Where this block fills the next stretch of `FileReplacement.writebackSize`: all of that.
  fileprivate var rangeToWriteBack: Range<Int64>? {
    let size = FileReplacement.writebackSize
    let end = (offset + Int64(count)) / size * size
    return end > offset ? (end - size)..<end : nil
  }
}
