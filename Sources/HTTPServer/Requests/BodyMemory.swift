import Loop

/// Lets bodies of requests be collected in memory, up to a limit for all of them together. A body that would exceed it is
/// not read on until others are done with, and after a while it is refused.
@LoopActor
final class BodyMemory {
  private var account: BodyMemoryAccount
  private let patience: Duration
  private var waits: [BodyMemoryAccount.Body: Promise<Void>] = [:]
  private var lastBody: BodyMemoryAccount.Body = 0

  /// - Parameters:
  ///   - limit: how many bytes all bodies may take together.
  ///   - longestBody: how many bytes one may have.
  ///   - patience: how long a body waits for others.
  init(limit: Int, longestBody: Int, patience: Duration) {
    account = BodyMemoryAccount(limit: limit, reserve: longestBody)
    self.patience = patience
  }

  /// How many bytes are taken.
  var used: Int { account.used }

  /// How many bodies wait for memory.
  var waitingCount: Int { account.waitingCount }

  func newBody() -> BodyMemoryAccount.Body {
    lastBody += 1
    return lastBody
  }

  /// Takes `count` bytes for `body`, at once where `body` is among those that may go on. `free` must follow.
  ///
  /// - Parameter whenWaiting: called where it has to wait.
  /// - Throws: `HTTPErrorResponse` 503 where nothing became free for too long; `CancellationError`.
  func take(_ count: Int, for body: BodyMemoryAccount.Body, whenWaiting: () -> Void) async throws {
    if account.take(count, for: body) { return }
    whenWaiting()
    let wait = Promise<Void>()
    waits[body] = wait
    defer { waits[body] = nil }
    do {
      try await withDeadline(patience) { try await wait.get() }
    } catch is DeadlineExceeded {
      throw HTTPErrorResponse.unavailable(
        "Bodies of other requests take the memory that there is for them, \(account.limit) bytes; try again")
    }
  }

  /// `body` is whole.
  func end(_ body: BodyMemoryAccount.Body) { wake(account.end(body)) }

  /// `body` is in memory no more.
  func free(_ body: BodyMemoryAccount.Body) { wake(account.free(body)) }

  private func wake(_ bodies: [BodyMemoryAccount.Body]) {
    for body in bodies { waits[body]?.fulfil(()) }
  }
}
