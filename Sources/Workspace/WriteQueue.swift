import Bytes
import Loop
import Synchronization

/// The bytes of an upload that are not in the file yet. The loop appends, and a job on the thread pool writes block
/// after block, up to a quota per job.
///
/// So reading and writing overlap, and neither wakes the other for each block: a wake-up costs as much as copying a
/// block.
final class WriteQueue: Sendable {
  /// The bytes at which a job starts.
  static let jobSize = 1024 * 1024
  /// The least number of bytes with which a running job continues.
  static let blockSize = BlockCache.transferLength
  /// A job ends after this many blocks (4 MiB), and the next one queues for a thread. If the disk is slower than the
  /// network there is always another block, and without a quota a few uploads would hold all threads. With a smaller
  /// one the loop would be woken more often.
  static let blocksPerJob = 16
  /// The bytes at which writers wait.
  static let limit = 4 * 1024 * 1024
  /// The bytes at which writers continue: far enough below `limit` that the loop is not woken often, and far enough
  /// above zero that the job does not run dry.
  static let lowWater = 2 * 1024 * 1024
  /// Many small pieces are written earlier, because each one costs memory of its own.
  static let maximumPieces = 256

  /// Bytes to write, and their offset in the file.
  struct Block {
    let pieces: [Bytes]
    let offset: Int64
    let count: Int
  }

  private let state = Mutex(State())

  /// True while a job runs or has to be started. If false after `complete`, everything is written or has failed.
  var hasJob: Bool { state.withLock { $0.hasJob } }

  /// The error of a job.
  var failure: UVError? { state.withLock { $0.failure } }

  // MARK: The loop's side

  /// Appends `bytes`. Returns true if the caller has to start a job.
  /// - Throws: the error of an earlier job.
  func append(_ bytes: Bytes) throws(UVError) -> Bool {
    try state.withLock { (state) throws(UVError) in
      if let failure = state.failure { throw failure }
      state.waiting.append(bytes)
      state.waitingCount += bytes.count
      return state.needsJob()
    }
  }

  /// Ends the input: the remaining bytes are written too. Returns true if the caller has to start a job.
  func complete() -> Bool {
    state.withLock { state in
      state.isComplete = true
      return state.needsJob()
    }
  }

  /// True if more may be appended. If false, a later `finishBlock` returns true.
  func hasRoom() -> Bool {
    state.withLock { state in
      state.hasWaiter = !state.isBelow(WriteQueue.limit)
      return !state.hasWaiter
    }
  }

  /// Ends the job. Returns true if the caller has to start another one.
  func endJob() -> Bool {
    state.withLock { state in
      state.hasJob = false
      return state.needsJob()
    }
  }

  /// Drops the bytes that the job has not taken, so that it ends soon.
  func discard() {
    state.withLock { $0.dropWaiting() }
  }

  // MARK: The job's side

  /// The next block. If nil, the job ends and calls `endJob`.
  func nextBlock() -> Block? {
    state.withLock { state in
      state.hasBlock && state.blocksTaken < WriteQueue.blocksPerJob ? state.takeBlock() : nil
    }
  }

  /// Ends the block, with its error if it was not written. Returns true if a writer waits and may continue.
  func finishBlock(_ failure: UVError? = nil) -> Bool {
    state.withLock { state in
      state.takenCount = 0
      if let failure {
        state.failure = failure
        state.dropWaiting()
      }
      guard state.hasWaiter, state.isBelow(WriteQueue.lowWater) else { return false }
      state.hasWaiter = false
      return true
    }
  }
}

extension WriteQueue {
  private struct State {
    var waiting: [Bytes] = []
    var waitingCount = 0
    /// The size of the job's current block.
    var takenCount = 0
    /// The offset of the next block.
    var offset: Int64 = 0
    var hasJob = false
    /// The number of blocks that this job has taken.
    var blocksTaken = 0
    var isComplete = false
    var hasWaiter = false
    var failure: UVError?

    var hasBlock: Bool {
      waitingCount >= (hasJob ? blockSize : jobSize) || waiting.count >= maximumPieces
        || (isComplete && !waiting.isEmpty)
    }

    func isBelow(_ mark: Int) -> Bool {
      waitingCount + takenCount < mark && waiting.count < mark / jobSize * maximumPieces
    }

    mutating func needsJob() -> Bool {
      guard !hasJob, hasBlock else { return false }
      hasJob = true
      blocksTaken = 0
      return true
    }

    mutating func takeBlock() -> Block {
      var length = 0
      var count = 0
      while length < waiting.count, count < blockSize {
        count += waiting[length].count
        length += 1
      }
      let block = Block(pieces: Array(waiting.prefix(length)), offset: offset, count: count)
      waiting.removeFirst(length)
      waitingCount -= count
      takenCount = count
      blocksTaken += 1
      offset += Int64(count)
      return block
    }

    mutating func dropWaiting() {
      waiting = []
      waitingCount = 0
    }
  }
}
