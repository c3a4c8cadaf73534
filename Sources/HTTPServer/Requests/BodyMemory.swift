import Loop

/// Limits the memory of all collected bodies. A body that would exceed it is not read until others have finished, and
/// is refused if that takes too long.
@LoopActor
final class BodyMemory {
  private var account: BodyMemoryAccount
  private let timeout: Duration
  private var waits: [BodyMemoryAccount.Body: Promise<Void>] = [:]
  private var lastBody: BodyMemoryAccount.Body = 0

  /// - Parameters:
  /// - limit: the memory of all bodies, in bytes.
  /// - longestBody: the longest body, in bytes.
  /// - timeout: how long a body waits for others.
  init(limit: Int, longestBody: Int, timeout: Duration) {
    account = BodyMemoryAccount(limit: limit, reserve: longestBody)
    self.timeout = timeout
  }

  /// In bytes.
  var used: Int { account.used }

  var waitingCount: Int { account.waitingCount }

  func newBody() -> BodyMemoryAccount.Body {
    lastBody += 1
    return lastBody
  }

  /// Takes `count` more bytes for `body`, or waits for them. `free` must follow.
  ///
  /// - Parameter whenWaiting: called if it has to wait.
  /// - Throws: `HTTPErrorResponse` 503 if too little became free in time; `CancellationError`.
  func take(_ count: Int, for body: BodyMemoryAccount.Body, whenWaiting: () -> Void) async throws {
    if account.take(count, for: body) { return }
    whenWaiting()
    let wait = Promise<Void>()
    waits[body] = wait
    defer { waits[body] = nil }
    do {
      try await withDeadline(timeout) { try await wait.get() }
    } catch is DeadlineExceeded {
      throw HTTPErrorResponse.unavailable(
        "Other request bodies use all of their \(account.limit) bytes of memory; try again")
    }
  }

  /// Reports that `body` is complete.
  func end(_ body: BodyMemoryAccount.Body) { wake(account.end(body)) }

  /// Frees the memory of `body`.
  func free(_ body: BodyMemoryAccount.Body) { wake(account.free(body)) }

  private func wake(_ bodies: [BodyMemoryAccount.Body]) {
    for body in bodies { waits[body]?.fulfil(()) }
  }
}
