import Bytes
import Logging
import Loop

/// The lines of an execution, kept for readers that come later or come back.
///
/// Short ones stay in memory. Longer ones go to a file without a name, which is used in a circle: when it is full the oldest
/// lines are overwritten. Readers pull, each at its own speed; none holds up the execution or another reader.
@LoopActor
final class Journal {
  /// Thrown to readers of lines that are no longer kept.
  struct Dropped: Error, Equatable {
    /// The number of the first line that is kept, from 0.
    let first: Int
  }

  /// Beyond so many bytes in memory, lines go to the file.
  nonisolated static let memoryLimit = 1 << 20
  /// While all journals together have too much in memory, lines go to the file beyond so many bytes.
  nonisolated static let memoryLimitUnderPressure = 64 << 10
  /// Later, so many bytes are written at once.
  nonisolated static let writeLength = 256 << 10
  /// Whoever appends waits for the disk while so many bytes wait to be written.
  nonisolated static let mostUnwritten = 4 << 20
  /// The most bytes that are read at once.
  nonisolated static let readLength = BlockCache.transferLength

  /// The most bytes that are sent as one part of the file. With 4 MiB instead of 1 MiB the server needs a fifth less processor time.
  nonisolated static let partLength = 4 << 20

  private let directory: String
  private let account: JournalAccount
  private let logger: Logger
  private var index: JournalIndex
  private var memory = JournalMemory()
  private var file: Descriptor? {
    didSet { account.fileCount += (file == nil ? 0 : 1) - (oldValue == nil ? 0 : 1) }
  }
  /// The offset up to which the file has the bytes.
  private var written: Int64 = 0
  /// The size of the file's circle.
  private let capacity: Int64
  private var isWriting = false
  /// Why the file is not used any more.
  private(set) var failure: UVError?
  /// True when no more lines come.
  private(set) var isComplete = false
  private let arrivals = WaitQueue()
  private let room = WaitQueue()

  /// An empty journal.
  ///
  /// - Parameters:
  ///   - capacity: the most bytes that are kept.
  ///   - directory: where the file is made, if one is needed.
  init(capacity: Int64, directory: String, account: JournalAccount, logger: Logger) {
    self.capacity = capacity
    self.directory = directory
    self.account = account
    self.logger = logger
    index = JournalIndex(capacity: capacity)
  }

  isolated deinit {
    account.change(by: -memory.count)
    if file != nil { account.fileCount -= 1 }
  }

  /// True if it has a file, and with it a descriptor.
  var hasFile: Bool { file != nil }

  /// The number of lines so far.
  var lineCount: Int { index.end.line }
  /// The number of the first line that is kept, from 0.
  var firstLine: Int { index.first.line }
  /// The offset of the first byte that is kept.
  var startOffset: Int64 { index.first.offset }
  /// How many bytes of lines are kept.
  var keptBytes: Int64 { endOffset - startOffset }
  /// The offset behind the last line.
  var endOffset: Int64 { index.end.offset }

  // MARK: Writing

  /// Appends a line, its line break included. Waits while the disk is slower than the execution.
  func append(_ line: [Bytes]) async {
    index.append(line.byteCount)
    changeMemory { $0.append(line) }
    arrivals.wakeAll()
    if memory.count > account.memoryLimit { save() }
    while failure == nil, memory.end - written > Int64(Self.mostUnwritten) {
      await room.waitRegardless { failure != nil || memory.end - written <= Int64(Self.mostUnwritten) }
    }
  }

  /// No more lines come.
  func complete() {
    isComplete = true
    if memory.count > account.memoryLimit { save() }
    arrivals.wakeAll()
  }

  private func save() {
    guard failure == nil else { return changeMemory { $0.free(upTo: index.first.offset) } }
    guard !isWriting, memory.end - written >= Int64(file == nil || isComplete ? 1 : Self.writeLength) else {
      return
    }
    isWriting = true
    LoopActor.task { await self.write() }
  }

  private func write() async {
    do {
      if file == nil { file = try await open() }
      guard let file else { return }
      let offset = max(written, memory.start)
      let pieces = memory.pieces(from: offset)
      let capacity = capacity
      try await Pending { () throws(UVError) in
        try Self.write(pieces, at: offset, in: file, capacity: capacity)
      }.valueRegardless()
      written = offset + Int64(pieces.byteCount)
      changeMemory { $0.free(upTo: written) }
    } catch {
      fail(error as? UVError ?? .cancelled)
    }
    isWriting = false
    room.wakeAll()
    if memory.count > account.memoryLimit { save() }
  }

  private func open() async throws -> Descriptor {
    let directory = directory
    return try await Pending { () throws(UVError) in try Descriptor.scratchFile(in: directory) }
      .valueRegardless()
  }

  /// Writes in the circle. What is longer than the circle is no longer kept: only its end is written.
  private nonisolated static func write(
    _ pieces: [Bytes], at offset: Int64, in file: Descriptor, capacity: Int64
  ) throws(UVError) {
    var offset = offset
    let end = offset + Int64(pieces.byteCount)
    for piece in pieces {
      var rest = piece
      let unwanted = min(Int64(rest.count), end - capacity - offset)
      if unwanted > 0 {
        rest = rest[Int(unwanted)...]
        offset += unwanted
      }
      while !rest.isEmpty {
        let position = offset % capacity
        let length = min(rest.count, Int(clamping: capacity - position))
        try file.write([rest[0..<length]], at: position)
        rest = rest[length...]
        offset += Int64(length)
      }
    }
  }

  /// The disk takes nothing more: the journal goes on with what fits in memory. The execution is not touched.
  private func fail(_ error: UVError) {
    logger.warning("the lines of an execution are kept no longer", metadata: ["reason": "\(error)"])
    failure = error
    file = nil
    index.restrict(to: Int64(Self.memoryLimit), from: memory.start)
    changeMemory { $0.free(upTo: index.first.offset) }
    arrivals.wakeAll()
  }

  private func changeMemory(_ change: (inout JournalMemory) -> Void) {
    let before = memory.count
    change(&memory)
    account.change(by: memory.count - before)
  }

  // MARK: Reading

  /// The offset of the line that has `line` lines before it.
  ///
  /// - Returns: nil while there are not so many lines.
  /// - Throws: `Dropped`, `UVError`, `CancellationError`.
  func offset(ofLine line: Int) async throws -> Int64? {
    guard case .behind(let mark) = index.place(of: line) else {
      if line > lineCount { return nil }
      throw Dropped(first: firstLine)
    }
    var (passed, offset) = (mark.line, mark.offset)
    while passed < line {
      let block = try await read(at: offset)
      var start = 0
      while passed < line, let newline = block.firstIndex(of: UInt8(ascii: "\n"), from: start) {
        passed += 1
        start = newline + 1
      }
      offset += Int64(passed < line ? block.count : start)
    }
    return offset
  }

  /// True if the byte at `offset` is in the file, and no longer in memory.
  func isInFile(_ offset: Int64) -> Bool { offset >= startOffset && offset < memory.start }

  /// Some of the bytes from `offset` on, at least one and at most `readLength`. There must be bytes behind `offset`.
  ///
  /// - Throws: `Dropped`, `UVError`, `CancellationError`.
  func read(at offset: Int64) async throws -> Bytes {
    guard offset >= startOffset else { throw Dropped(first: firstLine) }
    if offset >= memory.start { return memory.bytes(from: offset, atMost: Self.readLength) }
    guard let file else { throw Dropped(first: firstLine) }
    let end = min(offset + Int64(Self.readLength), memory.start)
    // Only between two lines can a reader be sent a line which says that the next ones are dropped. Within a line its connection
    // must break.
    let length = Int((index.lastLineStart(behind: offset, upTo: end) ?? end) - offset)
    let capacity = capacity
    let bytes = try await Pending { () throws(UVError) in
      try Self.read(length, at: offset, in: file, capacity: capacity)
    }.value()
    // Meanwhile newer lines may have taken their place.
    guard offset >= startOffset else { throw Dropped(first: firstLine) }
    guard !bytes.isEmpty else { throw UVError.endOfFile }
    return bytes
  }

  /// Reads from the circle.
  private nonisolated static func read(
    _ length: Int, at offset: Int64, in file: Descriptor, capacity: Int64
  ) throws(UVError) -> Bytes {
    let position = offset % capacity
    let first = min(length, Int(clamping: capacity - position))
    let block = try file.read(upTo: first, at: position, capacity: readLength)
    guard first < length, block.count == first else { return block }
    return Bytes.join([block, try file.read(upTo: length - first, at: 0)])
  }

  /// True if nothing more is written to the file.
  var isSettled: Bool { isComplete && !isWriting }

  /// The bytes of the file from `offset` on, up to `end` and at most `partLength`, if nothing more is written to it; nil if that may
  /// be, or if the bytes are in memory.
  func settledPart(from offset: Int64, to end: Int64) -> FilePart? {
    guard isSettled, isInFile(offset), let file else { return nil }
    let position = offset % capacity
    let length = min(Int64(Self.partLength), min(end, memory.start) - offset, capacity - position)
    return FilePart(of: file, at: position, count: Int(length))
  }

  /// Waits until there are bytes behind `offset`, no more lines come, or `isEnough`.
  ///
  /// - Throws: `CancellationError`.
  func wait(beyond offset: Int64, or isEnough: () -> Bool = { false }) async throws {
    try await arrivals.wait { endOffset > offset || isComplete || isEnough() }
  }

  /// Has all readers look again whether they have waited enough.
  func wakeReaders() { arrivals.wakeAll() }
}

/// The memory and the files of all journals together.
@LoopActor
final class JournalAccount {
  /// With more than this in memory, in bytes, journals go to their files early.
  nonisolated static let limit = 64 << 20

  /// The bytes in memory.
  private(set) var count = 0
  /// The number of open files.
  fileprivate(set) var fileCount = 0

  /// How much one journal may have in memory before it goes to its file.
  var memoryLimit: Int { count > Self.limit ? Journal.memoryLimitUnderPressure : Journal.memoryLimit }

  func change(by difference: Int) { count += difference }
}
