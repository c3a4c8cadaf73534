import Loop

/// Starts processes of kernels. One launcher runs the kernelspec's command, another forks a process that has loaded most of a
/// kernel already.
@LoopActor
protocol KernelLauncher: AnyObject, Sendable {
  /// Starts a kernel that will listen where its connection file says; nil if another launcher must start it, at least for
  /// now.
  ///
  /// - Throws: `KernelProviderError`.
  func launch(_ spawnSpec: SpawnSpec) async throws -> (any KernelProcess)?

  /// Waits until it is ready to start kernels as fast as it can, or has failed to get ready.
  ///
  /// - Throws: `CancellationError`.
  func untilPrepared() async throws

  /// True if it can now start a better kernel than `process`, which was started for `spawnSpec`.
  func canUpgrade(to spawnSpec: SpawnSpec, than process: any KernelProcess) -> Bool

  /// Ends the processes that it keeps to start kernels. Kernels have ended before.
  func close() async
}

/// What a kernel is started with.
struct SpawnSpec: Sendable {
  let spec: LocalKernelSpec
  /// The path of the connection file.
  let connectionFile: String
  /// A path beside it that is not in use yet, for the kernel's own output.
  let log: String
  /// The kernel's working directory, absolute.
  let directory: String
  /// All variables beyond those of the kernelspec.
  let environment: [String: String]
  /// True if some of these are not those of every kernel.
  let hasOwnVariables: Bool
  /// What it is to take from itself; nil for nothing.
  var isolation: IsolationPolicy?
}

/// A kernel's process, whichever launcher started it. It leads a session of its own.
@LoopActor
protocol KernelProcess: AnyObject, Sendable {
  /// The process identifier.
  var identifier: Int32 { get }
  /// How it ended; nil while it runs.
  var exitStatus: ExitStatus? { get }
  /// True if it has ended, even if that is not reported yet.
  var hasEnded: Bool { get }
  /// The last lines of its own output, for error messages; empty if there are none.
  var lastLines: String { get }
  /// Waits until it has ended, even if the task is cancelled. How it ended may be reported a moment later.
  func gone() async
  /// Waits until it is known how it ended, even if the task is cancelled.
  func exit() async -> ExitStatus
  /// Waits for its end.
  ///
  /// - Throws: `CancellationError`; the process runs on.
  func untilExit() async throws -> ExitStatus
  /// Sends a signal to its process group. Does nothing if that is gone.
  func signal(_ signal: Signal)
  /// Closes its pipes. Called after it and its children have ended.
  func close() async
}
