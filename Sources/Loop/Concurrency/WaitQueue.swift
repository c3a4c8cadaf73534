/// Tasks on the loop that wait for something to happen, first come first served.
///
/// All waiting of this module goes through here, so that two things are right in one place. Cancellation: a task that is
/// cancelled before, while or after it waits is resumed exactly once, and none stays behind. And looking before
/// waiting: any `await`, even of a method of the same actor, may let others run first, so what is waited for is
/// looked at once more where nothing can come in between.
@LoopActor
public final class WaitQueue {
  // Unsafe instead of checked: this is on the path of every read, and the type resumes only what it removes.
  private typealias Continuation = UnsafeContinuation<Void, any Error>

  private var waiters: [(identifier: UInt64, continuation: Continuation)] = []
  private var lastIdentifier: UInt64 = 0

  /// Nobody waits yet.
  public nonisolated init() {}

  /// True when nobody waits.
  public var isEmpty: Bool { waiters.isEmpty }

  /// Suspends, as often as it is woken, until `isDone`. Throws `CancellationError` when the task is, or was, cancelled
  /// before that.
  public func wait(until isDone: () -> Bool) async throws {
    while !isDone() {
      lastIdentifier &+= 1
      let identifier = lastIdentifier
      try await withTaskCancellationHandler {
        try await withUnsafeThrowingContinuation { (continuation: Continuation) in
          if isDone() {
            continuation.resume()
          } else if Task.isCancelled {
            // A cancellation that came before has already run the handler below, which found nothing.
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

  /// Suspends until `isDone`, whether cancelled or not: for the end of something that is under way already.
  public func waitRegardless(until isDone: () -> Bool) async {
    while !isDone() {
      _ = try? await withUnsafeThrowingContinuation { (continuation: Continuation) in
        if isDone() { continuation.resume() } else { waiters.append((0, continuation)) }
      }
    }
  }

  /// Wakes who waits longest.
  public func wakeFirst() {
    if !waiters.isEmpty { waiters.removeFirst().continuation.resume() }
  }

  /// Wakes all.
  public func wakeAll() {
    // Tasks run later, as jobs: nothing is added while this goes on.
    for waiter in waiters { waiter.continuation.resume() }
    waiters.removeAll(keepingCapacity: true)
  }

  private func cancel(_ identifier: UInt64) {
    guard let index = waiters.firstIndex(where: { $0.identifier == identifier }) else { return }
    waiters.remove(at: index).continuation.resume(throwing: CancellationError())
  }
}
