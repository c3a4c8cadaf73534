import Bytes
import Loop
import Synchronization

/// Bytes on their way to a file: the loop appends to them, and a job on another thread takes block after block for as
/// long as there are any, up to its quota. Then it is another job's turn.
///
/// So the loop reads while the disk is written to, and neither wakes the other for each block: that costs as much as
/// to copy one.
final class WriteBacklog: Sendable {
  /// What is worth a job on another thread.
  static let jobSize = 1024 * 1024
  /// The least that such a job goes on with.
  static let blockSize = BlockCache.transferLength
  /// After so many blocks (4 MiB) a job ends, and the next one waits behind all others for a thread: where the disk is
  /// slower than the network there is always one more block, and a few uploads would hold all threads until their end.
  /// With fewer the loop would be woken more often.
  static let blocksPerJob = 16
  /// Where whoever appends has to wait.
  static let limit = 4 * 1024 * 1024
  /// Where it goes on: far enough from `limit` that it is not woken often, and from zero that the job has enough.
  static let lowWater = 2 * 1024 * 1024
  /// Many small pieces are written earlier: each costs memory of its own.
  static let maximumPieces = 256

  /// What is to be written, and where.
  struct Block {
    let pieces: [Bytes]
    let offset: Int64
    let count: Int
  }

  private let state = Mutex(State())

  /// True while a job is under way, or has to be started. Where not, after `complete`, all is written or has failed.
  var hasJob: Bool { state.withLock { $0.hasJob } }

  /// What a job failed with.
  var failure: UVError? { state.withLock { $0.failure } }

  // MARK: The loop's side

  /// Appends `bytes`; true where a job has to be started for them.
  /// - Throws: What the job failed with.
  func append(_ bytes: Bytes) throws(UVError) -> Bool {
    try state.withLock { (state) throws(UVError) in
      if let failure = state.failure { throw failure }
      state.waiting.append(bytes)
      state.waitingCount += bytes.count
      return state.needsJob()
    }
  }

  /// Says that nothing more will come, so that the rest is written too; true where a job has to be started for it.
  func complete() -> Bool {
    state.withLock { state in
      state.isComplete = true
      return state.needsJob()
    }
  }

  /// True where more may be appended; where not, `settle` will tell when.
  func hasRoom() -> Bool {
    state.withLock { state in
      state.isAwaited = !state.isBelow(WriteBacklog.limit)
      return !state.isAwaited
    }
  }

  /// Says that the job has ended; true where another one has to be started.
  func endJob() -> Bool {
    state.withLock { state in
      state.hasJob = false
      return state.needsJob()
    }
  }

  /// Forgets what the job has not taken, so that it soon ends.
  func discard() {
    state.withLock { $0.forgetWaiting() }
  }

  // MARK: The job's side

  /// The next block. Where there is none, or the job has had its quota, it has to end; `endJob` tells what then.
  func take() -> Block? {
    state.withLock { state in
      state.hasBlock && state.blocksTaken < WriteBacklog.blocksPerJob ? state.takeBlock() : nil
    }
  }

  /// Says that the block is written, or why it is not; true where somebody waits to be told.
  func settle(_ failure: UVError? = nil) -> Bool {
    state.withLock { state in
      state.takenCount = 0
      if let failure {
        state.failure = failure
        state.forgetWaiting()
      }
      guard state.isAwaited, state.isBelow(WriteBacklog.lowWater) else { return false }
      state.isAwaited = false
      return true
    }
  }
}

extension WriteBacklog {
  private struct State {
    var waiting: [Bytes] = []
    var waitingCount = 0
    /// What the job has taken, until it is settled.
    var takenCount = 0
    /// Where the next block goes.
    var offset: Int64 = 0
    var hasJob = false
    /// How many blocks this job has taken.
    var blocksTaken = 0
    var isComplete = false
    var isAwaited = false
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

    mutating func forgetWaiting() {
      waiting = []
      waitingCount = 0
    }
  }
}
