import Bytes
import Loop

/// Keeps an execution's events as lines of JSON, for any number of readers.
@LoopActor
final class JournalSink: ExecutionSink {
  var onLoss: (@LoopActor () -> Void)?
  private let journal: Journal

  init(_ journal: Journal) { self.journal = journal }

  func begin() async {}

  func send(_ events: [OutputEvent]) async {
    for event in events { await journal.append(await NDJSONEncoder.lineOfAnyLength(event)) }
  }

  func finish() async {
    await journal.append(NDJSONEncoder.line(.end))
    journal.complete()
  }
}
