import Loop

/// Makes processes of kernels. There are several ways: to start the kernelspec's command, or to fork a process that has
/// done most of that already.
@LoopActor
protocol KernelLauncher: AnyObject, Sendable {
  /// Starts a kernel that will listen where its connection file says; nil where another way must be taken, at least for
  /// now.
  ///
  /// - Throws: `KernelProviderError`.
  func launch(_ order: SpawnSpec) async throws -> (any KernelProcess)?

  /// Waits until it can make kernels as fast as it will, or will not make any.
  ///
  /// - Throws: `CancellationError`.
  func untilPrepared() async throws

  /// True where it would make a better kernel now than the one that was made for `order`.
  func canUpgrade(to order: SpawnSpec, than process: any KernelProcess) -> Bool

  /// Ends what was started to make kernels; kernels have been ended before.
  func close() async
}

/// What a kernel is started with.
struct SpawnSpec: Sendable {
  let spec: LocalKernelSpec
  /// The path of the connection file.
  let connectionFile: String
  /// The path of a file beside it that there is not yet, for what the kernel complains of.
  let log: String
  /// The kernel's working directory, absolute.
  let directory: String
  /// All variables beyond those of the kernelspec.
  let environment: [String: String]
  /// True where some of these are not those of every kernel.
  let hasOwnVariables: Bool
}

/// A kernel's process, whoever made it. It leads a session of its own.
@LoopActor
protocol KernelProcess: AnyObject, Sendable {
  /// The number that the system knows it by.
  var identifier: Int32 { get }
  /// How it ended; nil while it runs.
  var exitStatus: ExitStatus? { get }
  /// True where it has ended, also when nobody has told us yet.
  var hasEnded: Bool { get }
  /// What it complained of last, for people; empty where it did not.
  var lastLines: String { get }
  /// Waits until it has ended, also when the task is cancelled. Who knows how may tell us a moment later.
  func gone() async
  /// Waits until it is known how it ended, also when the task is cancelled.
  func exit() async -> ExitStatus
  /// Waits for its end.
  ///
  /// - Throws: `CancellationError`; the process runs on.
  func untilExit() async throws -> ExitStatus
  /// Sends a signal to it and to all in its process group. Does nothing when they have gone.
  func signal(_ signal: Signal)
  /// Lets go of its pipes, when it has ended and its children have.
  func close() async
}
