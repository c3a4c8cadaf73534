import DequeModule

/// A counting semaphore for tasks on the loop: first come, first served.
///
/// `signal` hands the permit to the task that has waited longest. A task that calls `wait` at that moment cannot overtake it.
@LoopActor
public final class Semaphore {
  /// A place in the queue, and how the wait ended.
  typealias Waiter = Promise<Result<Void, any Error>>

  private var permits: Int
  private var waiters = Deque<Waiter>()

  /// A semaphore that `permits` tasks can hold at the same time.
  public nonisolated init(permits: Int) {
    precondition(permits > 0)
    self.permits = permits
  }

  /// How many tasks wait.
  var waitingCount: Int { waiters.count }

  /// True while `wait` would not suspend.
  var isAvailable: Bool { permits > 0 }

  /// Takes a permit when there is one; `signal` must follow.
  ///
  /// - Throws: `CancellationError` if the task is cancelled before a permit is there; it holds none then.
  func wait() async throws {
    try Task.checkCancellation()
    if isAvailable { permits -= 1 } else { try await wait(as: Waiter()) }
  }

  /// Gives a permit back.
  func signal() {
    if let next = waiters.popFirst() { next.fulfil(.success(())) } else { permits += 1 }
  }

  /// Runs `body` with a permit.
  ///
  /// - Parameter limit: how long `body` keeps the permit at most. If it takes longer, it goes on without one, so that others
  ///   do not wait for a task that hangs.
  /// - Throws: `CancellationError`, what `body` throws.
  public func withPermit<R: Sendable>(
    for limit: Duration? = nil, _ body: @LoopActor () async throws -> R
  ) async throws -> R {
    try await wait()
    var holdsPermit = true
    func giveBack() {
      if holdsPermit { signal() }
      holdsPermit = false
    }
    defer { giveBack() }
    guard let limit else { return try await body() }
    let expiry = Deadline { giveBack() }
    defer { expiry.close() }
    expiry.start(limit)
    return try await body()
  }

  /// Takes a permit in the name of `waiter` if there is one, else a place in the queue; `wait(as:)` must follow. Idempotent.
  func enqueue(_ waiter: Waiter) {
    if waiter.value != nil || waiters.contains(where: { $0 === waiter }) { return }
    if isAvailable {
      permits -= 1
      waiter.fulfil(.success(()))
    } else {
      waiters.append(waiter)
    }
  }

  /// Waits for a permit in the name of `waiter`, whose wait `fail` can end. A waiter waits once.
  func wait(as waiter: Waiter) async throws {
    enqueue(waiter)
    let outcome: Result<Void, any Error>
    do { outcome = try await waiter.get() } catch {
      // Cancelled. If the wait has ended at the same time, that counts: a permit must not get lost.
      if let outcome = waiter.value { return try outcome.get() }
      fail(waiter, error)
      throw error
    }
    try outcome.get()
  }

  /// Ends the wait of `waiter` with `error`, also if it has not begun yet; without effect if it has ended.
  func fail(_ waiter: Waiter, _ error: any Error) {
    waiters.removeAll { $0 === waiter }
    waiter.fulfil(.failure(error))
  }

  /// Ends all waits with `error`.
  func failAll(_ error: any Error) {
    for waiter in waiters { waiter.fulfil(.failure(error)) }
    waiters.removeAll()
  }
}
