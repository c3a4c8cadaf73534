/// Tasks on the loop that wait for something to happen, first come first served.
///
/// All waiting of this module goes through here, so that cancellation is right in one place: a task that is cancelled
/// before, while or after it waits is resumed exactly once, and none stays behind. A task that was woken looks again
/// at what it waited for.
@LoopActor
final class WaitQueue {
  // Unsafe instead of checked: this is on the path of every read, and the type resumes only what it removes.
  private typealias Continuation = UnsafeContinuation<Void, any Error>

  private var waiters: [(identifier: UInt64, continuation: Continuation)] = []
  private var lastIdentifier: UInt64 = 0

  var isEmpty: Bool { waiters.isEmpty }

  /// Suspends until woken. Throws `CancellationError` when the task is, or was, cancelled.
  func wait() async throws {
    lastIdentifier &+= 1
    let identifier = lastIdentifier
    try await withTaskCancellationHandler {
      try await withUnsafeThrowingContinuation { (continuation: Continuation) in
        // A cancellation that came before has already run the handler below, which found nothing.
        if Task.isCancelled {
          continuation.resume(throwing: CancellationError())
        } else {
          waiters.append((identifier, continuation))
        }
      }
    } onCancel: {
      LoopActor.perform { self.cancel(identifier) }
    }
  }

  /// Suspends until woken, whether cancelled or not: for the end of something that is under way already.
  func waitRegardless() async {
    lastIdentifier &+= 1
    let identifier = lastIdentifier
    _ = try? await withUnsafeThrowingContinuation { (continuation: Continuation) in
      waiters.append((identifier, continuation))
    }
  }

  /// Wakes who waits longest.
  func wakeFirst() {
    if !waiters.isEmpty { waiters.removeFirst().continuation.resume() }
  }

  /// Wakes all.
  func wakeAll() {
    // Tasks run later, as jobs: nothing is added while this goes on.
    for waiter in waiters { waiter.continuation.resume() }
    waiters.removeAll(keepingCapacity: true)
  }

  private func cancel(_ identifier: UInt64) {
    guard let index = waiters.firstIndex(where: { $0.identifier == identifier }) else { return }
    waiters.remove(at: index).continuation.resume(throwing: CancellationError())
  }
}
