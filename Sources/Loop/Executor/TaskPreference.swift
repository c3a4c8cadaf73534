/// The loop as a task executor preference (SE-0417).
///
/// Swift resumes a task that waited for a continuation, another task or a group on the global pool, which then hands it to
/// its actor's executor. A task that prefers the loop is resumed on the loop, in one job, and wakes no thread. That halves
/// the time of a small request.
///
/// The preference is an object of its own, so that the loop knows which jobs have it: a job that is run with the wrong
/// preference queues itself again at each call.
final class TaskPreference: TaskExecutor {
  static let shared = TaskPreference()

  private init() {}

  func enqueue(_ job: consuming ExecutorJob) { EventLoop.shared.enqueuePreferring(UnownedJob(job)) }
}

extension LoopActor {
  /// Begins a task on the loop. `Task { @LoopActor in … }` works too, but goes through the global pool after each wait.
  /// Child tasks (`async let`, groups) inherit the preference, except those of `addImmediateTask`: Swift begins them
  /// without it, and so not at once.
  @discardableResult
  public nonisolated static func task<R: Sendable>(
    _ body: @escaping @LoopActor @Sendable () async -> R
  ) -> Task<R, Never> {
    Task(executorPreference: TaskPreference.shared, operation: body)
  }

  /// Begins a throwing task on the loop.
  @discardableResult
  public nonisolated static func task<R: Sendable>(
    _ body: @escaping @LoopActor @Sendable () async throws -> R
  ) -> Task<R, any Error> {
    Task(executorPreference: TaskPreference.shared, operation: body)
  }
}

extension UnownedJob {
  /// True if both are the same job of the runtime. `UnownedJob` is not `Equatable`.
  func isIdentical(to other: UnownedJob) -> Bool {
    unsafeBitCast(self, to: UInt.self) == unsafeBitCast(other, to: UInt.self)
  }
}
