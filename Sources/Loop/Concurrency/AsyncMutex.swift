/// Mutual exclusion between tasks on the loop: first come, first served.
///
/// A task that waits for it suspends. `Synchronization.Mutex` blocks the thread instead, and has the plain name.
@LoopActor
public final class AsyncMutex {
  /// A task's wait for the mutex, which other tasks can cancel.
  public typealias Waiter = Promise<Result<Void, any Error>>

  private let semaphore = Semaphore(permits: 1)
  private var closingError: (any Error)?

  /// A mutex that nobody holds.
  public nonisolated init() {}

  /// True while a task holds it.
  public var isLocked: Bool { !semaphore.isAvailable }

  /// How many tasks wait for it.
  public var waitingCount: Int { semaphore.waitingCount }

  /// Waits until no other task holds the mutex; `unlock` must follow.
  ///
  /// - Throws: `CancellationError` if the task is cancelled before its turn, what `close` was given; it does not hold the
  ///   mutex then.
  public func lock() async throws {
    if let closingError { throw closingError }
    try await semaphore.wait()
  }

  /// Takes the place of `waiter` in the queue before `lock(as:)`, which must follow. If no task holds the mutex, `waiter` does
  /// from now on: it has a value.
  public func enqueue(_ waiter: Waiter) {
    if closingError == nil { semaphore.enqueue(waiter) }
  }

  /// The same for a wait that `cancel` can end.
  public func lock(as waiter: Waiter) async throws {
    if let closingError {
      if case .success? = waiter.value { unlock() }
      throw closingError
    }
    try await semaphore.wait(as: waiter)
  }

  /// Gives the mutex to the task that has waited longest.
  public func unlock() {
    precondition(isLocked)
    semaphore.signal()
  }

  /// Ends the wait of `waiter`, also if it has not begun yet: `lock` throws `CancellationError`. Without effect once `waiter`
  /// has had the mutex.
  public func cancel(_ waiter: Waiter) { semaphore.fail(waiter, CancellationError()) }

  /// Closes the mutex: waiting tasks, and all later ones, get `error`.
  public func close(_ error: any Error) {
    closingError = error
    semaphore.failAll(error)
  }
}
