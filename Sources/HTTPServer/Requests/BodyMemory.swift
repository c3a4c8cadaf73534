import Loop

/// Limits the memory of all bodies that are collected. A body that would exceed it is not read on until others are done
/// with, and refused if that takes too long.
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
      try await withDeadline(patience) { try await wait.get() }
    } catch is DeadlineExceeded {
      throw HTTPErrorResponse.unavailable(
        "Bodies of other requests take the memory that there is for them, \(account.limit) bytes; try again")
    }
  }

  /// `body` is complete.
  func end(_ body: BodyMemoryAccount.Body) { wake(account.end(body)) }

  /// The memory of `body` is free.
  func free(_ body: BodyMemoryAccount.Body) { wake(account.free(body)) }

  private func wake(_ bodies: [BodyMemoryAccount.Body]) {
    for body in bodies { waits[body]?.fulfil(()) }
  }
}
