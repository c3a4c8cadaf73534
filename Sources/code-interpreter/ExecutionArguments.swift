import ArgumentParser
import Loop
import Server

/// The options for executions.
struct ExecutionArguments: ParsableArguments {
  /// A year, in seconds.
  private static let longest = 31_536_000.0

  @Option(help: "How many executions may wait in one context.")
  var maxQueued = 256

  @Option(
    help: """
      How many seconds code may run for which the client gives no timeout (default: any time). Then it is interrupted, \
      and keeps its context's memory if it obeys.
      """)
  var executionTimeout: Double?

  @Option(
    help: """
      How many seconds code gets to obey an interrupt. It is interrupted again and again, then the processes that it has \
      started are ended, then its kernel is replaced.
      """)
  var interruptGrace = 13.0

  @Option(
    help: """
      How many bytes of standard output and error clients get of each execution that do not say themselves (default: \
      all): three quarters of them as they come, and the last ones at the end.
      """)
  var maxOutput: Int?

  @Option(
    help: """
      How many bytes of output are kept of each execution that may outlive its client: in memory, and beyond 1 MiB in a \
      file in TMPDIR. Of longer ones the oldest lines are dropped.
      """)
  var maxJournal: Int64 = 1 << 30

  @Option(
    help: """
      How many clients may read the output of one execution at once. Each takes less than 1 MiB of memory, however much there \
      is to read. Further ones are answered 429.
      """)
  var maxReaders = 64

  @Option(help: "For how many seconds ended executions can be asked for.")
  var keepExecutions = 600.0

  @Option(
    help: """
      How many ended executions can be asked for; of more the oldest are forgotten, those without kept lines first.
      """)
  var maxExecutions = 1000

  func validate() throws {
    guard maxQueued > 0, maxExecutions > 0, maxReaders > 0 else {
      throw ValidationError("--max-queued, --max-executions and --max-readers should be at least 1.")
    }
    guard maxOutput ?? 1 > 0 else { throw ValidationError("--max-output should be at least 1.") }
    guard maxJournal >= 1 << 20 else {
      throw ValidationError("--max-journal should be at least \(1 << 20) bytes.")
    }
    for (name, value) in [
      ("execution-timeout", executionTimeout ?? 1), ("interrupt-grace", interruptGrace),
      ("keep-executions", keepExecutions),
    ] where !(value > 0 && value <= Self.longest) {
      throw ValidationError("--\(name) should be a number of seconds beyond 0, at most \(Int(Self.longest)).")
    }
  }

  var options: ExecutionOptions {
    var options = ExecutionOptions()
    options.mostQueued = maxQueued
    options.timeout = executionTimeout.map { .seconds($0) }
    options.outputLimit = maxOutput
    options.interruptGrace = .seconds(interruptGrace)
    options.journalLimit = maxJournal
    options.journalDirectory = TemporaryDirectory.parent
    options.mostReaders = maxReaders
    options.keepTime = .seconds(keepExecutions)
    options.mostKept = maxExecutions
    return options
  }
}
