public import Bytes
public import Loop

/// A file that is open for reading. It stays the same file when another one takes its name.
@LoopActor
public final class File {
  /// The status at the time of the open.
  public let status: FileStatus
  private var descriptor: Descriptor?

  init(_ descriptor: Descriptor, _ status: FileStatus) {
    self.descriptor = descriptor
    self.status = status
  }

  /// The bytes of `range`, block by block.
  public func blocks(_ range: Range<Int64>) -> FileBlocks { FileBlocks(self, range) }

  /// Closes the file when no read is under way. Idempotent. The file also closes with its last reference.
  public func close() { descriptor = nil }

  /// Begins to read up to `length` bytes from `offset`. The result has fewer, or none, only at the end of the file.
  func startReading(_ length: Int, at offset: Int64) throws(UVError) -> Pending<Bytes> {
    guard let descriptor else { throw .cancelled }
    return Pending { () throws(UVError) in try descriptor.read(upTo: length, at: offset) }
  }
}

/// A range of a file, block by block. One block is read while the one before it is being sent, so that at most two are
/// in memory.
@LoopActor
public final class FileBlocks {
  /// The size of a block in bytes: large enough that the round trip to the thread pool costs little, and small enough
  /// that many downloads fit in memory.
  static let blockSize = BlockCache.transferLength

  private let file: File
  private var rest: Range<Int64>
  private var pending: Pending<Bytes>?
  private let cache = BlockCache(.transfer)

  init(_ file: File, _ range: Range<Int64>) {
    self.file = file
    self.rest = range
  }

  /// The next block; nil at the end of the range.
  /// - Throws: `UVError.endOfFile` if the file has become shorter than the range.
  public func next() async throws -> Bytes? {
    if pending == nil { try startReading() }
    guard let block = try await pending?.value() else { return nil }
    if block.isEmpty { throw UVError.endOfFile }
    rest = (rest.lowerBound + Int64(block.count))..<rest.upperBound
    pending = nil
    try startReading()
    return block
  }

  private func startReading() throws(UVError) {
    if rest.isEmpty { return }
    let length = min(Int64(FileBlocks.blockSize), rest.upperBound - rest.lowerBound)
    pending = try file.startReading(Int(length), at: rest.lowerBound)
  }
}
