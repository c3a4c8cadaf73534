/// A condition variable for tasks on the loop.
///
/// All waiting of this module goes through it, so that two things are right in one place. Cancellation: a task that is
/// cancelled before, while or after it waits is resumed exactly once. Lost wake-ups: any `await`, even of a method of the
/// same actor, may let other jobs run, so the condition is checked once more where no job can come between the check and
/// the wait.
@LoopActor
public final class WaitQueue {
  // Unsafe instead of checked: every read waits here, and the type resumes only what it has removed from `waiters`.
  private typealias Continuation = UnsafeContinuation<Void, any Error>

  private var waiters: [(identifier: UInt64, continuation: Continuation)] = []
  private var lastIdentifier: UInt64 = 0

  /// A queue without waiting tasks.
  public nonisolated init() {}

  /// True while no task waits.
  var isEmpty: Bool { waiters.isEmpty }

  /// Suspends until `isDone`, which is checked at each wake-up.
  ///
  /// - Throws: `CancellationError` if the task is cancelled before that.
  public func wait(until isDone: () -> Bool) async throws {
    while !isDone() {
      lastIdentifier &+= 1
      let identifier = lastIdentifier
      try await withTaskCancellationHandler {
        try await withUnsafeThrowingContinuation { (continuation: Continuation) in
          if isDone() {
            continuation.resume()
          } else if Task.isCancelled {
            // The handler below has already run, and has found no waiter.
            continuation.resume(throwing: CancellationError())
          } else {
            waiters.append((identifier, continuation))
          }
        }
      } onCancel: {
        LoopActor.perform { self.cancel(identifier) }
      }
    }
  }

  /// Suspends until `isDone`, also if the task is cancelled: for the end of an operation that cannot be stopped.
  public func waitRegardless(until isDone: () -> Bool) async {
    while !isDone() {
      _ = try? await withUnsafeThrowingContinuation { (continuation: Continuation) in
        if isDone() { continuation.resume() } else { waiters.append((0, continuation)) }
      }
    }
  }

  /// Wakes the task that has waited longest.
  func wakeFirst() {
    if !waiters.isEmpty { waiters.removeFirst().continuation.resume() }
  }

  /// Wakes all waiting tasks.
  public func wakeAll() {
    if waiters.isEmpty { return }
    // Resumed tasks run later, as jobs: none is added during the iteration.
    for waiter in waiters { waiter.continuation.resume() }
    waiters.removeAll(keepingCapacity: true)
  }

  private func cancel(_ identifier: UInt64) {
    guard let index = waiters.firstIndex(where: { $0.identifier == identifier }) else { return }
    waiters.remove(at: index).continuation.resume(throwing: CancellationError())
  }
}
