import CUV
public import Memory

/// A file that is being written and takes its name, or the place of another file, whole or not at all.
///
/// Whoever begins one calls `commit` or `abandon`, also when the task has been cancelled.
@LoopActor
public final class FileReplacement {
  /// The least that is worth the way to another thread and back.
  static let blockSize = 256 * 1024
  /// What is gathered while a block is being written, before whoever writes waits: the slower the disk, the larger the
  /// blocks, and the fewer the wake-ups, which cost as much as to copy a block.
  static let largestBlock = 2 * 1024 * 1024
  /// Many small pieces are written earlier: each costs memory of its own.
  static let maximumPieces = 256
  /// The disk begins with this much at a time, while more is coming.
  static let writebackSize: Int64 = 8 * 1024 * 1024

  /// nil when it is over.
  private var replacement: Replacement?
  private var gathered: [Bytes] = []
  private var gatheredCount = 0
  private var writing: Pending<Void>?
  private var writtenBack: Int64 = 0

  /// Bytes that `write` has been given.
  public private(set) var count: Int64 = 0

  init(_ replacement: Replacement) { self.replacement = replacement }

  /// Appends `bytes`. Waits for the disk where more than one block is behind; errors may come a call later.
  public func write(_ bytes: Bytes) async throws {
    gathered.append(bytes)
    gatheredCount += bytes.count
    count += Int64(bytes.count)
    let isLarge = gatheredCount >= Self.largestBlock || gathered.count >= Self.maximumPieces
    let isIdle = writing?.isFinished ?? true
    if isLarge || (isIdle && gatheredCount >= Self.blockSize) { try await writeGathered() }
  }

  /// Puts the file under its name; when this returns it is on the disk.
  /// - Returns: true where it is new, false where it took another's place.
  public func commit() async throws -> Bool {
    try await writeGathered()
    try await writing?.value()
    guard let replacement else { throw UVError.cancelled }
    let isNew = try await SlowLane.run { () throws(UVError) in try replacement.commit() }
    self.replacement = nil
    return isNew
  }

  /// Forgets what was written; nothing of it stays. Does nothing after a `commit` that succeeded.
  public func abandon() async {
    // Taken away here, so that the job has the last reference: to close a large file frees its blocks, which lasts.
    guard let abandoned = replacement else { return }
    replacement = nil
    gathered = []
    _ = try? await writing?.valueRegardless()
    _ = try? await Pending { () throws(UVError) in abandoned.abandon() }.valueRegardless()
  }

  private func writeGathered() async throws {
    try await writing?.value()
    guard let replacement else { throw UVError.cancelled }
    let pieces = gathered
    let offset = count - Int64(gatheredCount)
    gathered = []
    gatheredCount = 0
    let range = takeRangeToWriteBack(before: offset)
    writing = Pending { [file = replacement.file] () throws(UVError) in
      try file.write(pieces, at: offset)
      if let range { file.beginWriteback(range) }
    }
  }

  private func takeRangeToWriteBack(before offset: Int64) -> Range<Int64>? {
    guard offset - writtenBack >= Self.writebackSize else { return nil }
    defer { writtenBack = offset }
    return writtenBack..<offset
  }
}
