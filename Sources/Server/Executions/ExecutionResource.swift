import Bytes
import Loop

/// An execution as clients address it: its record, its lines if they are kept, and how to reach it while it runs.
@LoopActor
final class ExecutionResource {
  private(set) var record: ExecutionRecord
  /// Its lines; nil where they are not kept.
  let journal: Journal?
  /// The size of its request in bytes, which stays in memory until it has ended.
  let size: Int
  /// Its order among all.
  let number: Int
  /// What tells one request from another that has the same identifier; nil where the client gave none.
  let fingerprint: Bytes?
  /// Nil when it has ended.
  private(set) var run: ExecutionRun?
  /// True if the code is to end when nobody reads its lines any more.
  private let endsWithReaders: Bool
  /// How many clients may read its lines at once.
  let mostReaders: Int
  private var readerCount = 0

  init(
    _ record: ExecutionRecord, number: Int, size: Int = 0, journal: Journal? = nil,
    fingerprint: Bytes? = nil, endsWithReaders: Bool = false,
    mostReaders: Int = ExecutionOptions().mostReaders
  ) {
    self.size = size
    self.mostReaders = mostReaders
    self.record = record
    identifier = record.identifier
    self.number = number
    self.journal = journal
    self.fingerprint = fingerprint
    self.endsWithReaders = endsWithReaders
  }

  nonisolated let identifier: String

  // MARK: Its life

  /// From now on it can be interrupted; its place in the queue is that of this moment. `follow` must be called next.
  func begin(_ run: ExecutionRun) {
    self.run = run
    run.enqueue()
  }

  /// Runs to the end.
  func follow() async {
    await run?.run()
    run = nil
  }

  /// The client is told this.
  func note(_ event: OutputEvent) { record.note(event) }

  /// It has ended; the last line is about to be sent.
  func finish(_ state: ExecutionStatus) {
    record.note(.end)
    record.finish(state)
  }

  /// The code waits for an answer of the client, or goes on.
  func wait(forInput isWaiting: Bool) { record.wait(forInput: isWaiting) }

  /// Answers what the code waits for, with the contents of a JSON string; false where it waits for nothing.
  func answer(_ text: Bytes) async -> Bool { await run?.answer(text) ?? false }

  /// Interrupts it, if it has not ended; if it has not begun, it will not.
  func interrupt() { run?.interrupt() }

  // MARK: Its readers

  /// A client begins to read the lines; false where too many do.
  func addReader() -> Bool {
    guard readerCount < mostReaders else { return false }
    readerCount += 1
    return true
  }

  /// A client that was added reads no more.
  func removeReader() {
    readerCount -= 1
    if readerCount == 0, endsWithReaders { interrupt() }
  }
}
