/// The options for executions.
public struct ExecutionOptions: Sendable {
  /// How many executions may wait in one context.
  public var mostQueued = 256
  /// How long code may run whose client does not say; nil for any time.
  public var timeout: Duration?
  /// How many bytes of output are sent of code whose client does not say; nil for all.
  public var outputLimit: Int?
  /// From the first interrupt of code that does not obey until its kernel is replaced.
  public var interruptGrace: Duration = .seconds(13)
  /// How many bytes of lines are kept of each execution that may outlive its client.
  public var journalLimit: Int64 = 1 << 30
  /// Where the files of long journals are made.
  public var journalDirectory = "/tmp"
  /// How many files of ended executions may be open. If there are more, the oldest executions that have one are forgotten.
  public var mostFiles = 1024
  /// How many clients may read the lines of one execution at once.
  public var mostReaders = 64
  /// How long the record of an ended execution is kept.
  public var keepTime: Duration = .seconds(600)
  /// How many bytes of requests may wait or run that nobody's connection holds.
  public var mostDetached = 512 << 20
  /// How many ended executions are kept.
  public var mostKept = 1000

  /// The defaults.
  public init() {}
}
