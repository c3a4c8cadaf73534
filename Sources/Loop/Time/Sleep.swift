extension EventLoop {
  /// Waits for at least `duration`. Throws `CancellationError` as soon as the task is cancelled.
  @LoopActor
  public static func sleep(for duration: Duration) async throws {
    let expiry = WaitQueue()
    var hasExpired = false
    let deadline = Deadline {
      hasExpired = true
      expiry.wakeAll()
    }
    defer { deadline.close() }
    deadline.start(duration)
    try await expiry.wait { hasExpired }
  }
}
