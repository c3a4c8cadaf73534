import HTTPServer
import Loop

/// The executions under way. Once the server drains, no new ones are admitted.
@LoopActor
final class ExecutionRuns {
  private var runs: [ObjectIdentifier: ExecutionRun] = [:]
  private var isDraining = false
  /// Fulfilled when no execution is under way any more.
  private var isEmpty: Promise<Void>?

  /// - Throws: `HTTPErrorResponse` 503 while the server drains.
  func admit() throws {
    if isDraining { throw HTTPErrorResponse.unavailable("The server is shutting down") }
  }

  /// Counts `run` as under way while `body` runs it.
  func follow(_ run: ExecutionRun, _ body: @LoopActor () async -> Void) async {
    runs[ObjectIdentifier(run)] = run
    await body()
    runs[ObjectIdentifier(run)] = nil
    if runs.isEmpty { isEmpty?.fulfil(()) }
  }

  /// Admits no new ones, waits up to `grace` for those under way, interrupts the rest, and waits up to `afterInterrupt` for
  /// them.
  func drain(grace: Duration, afterInterrupt: Duration) async {
    isDraining = true
    if await becomeEmpty(within: grace) { return }
    for run in runs.values { run.interrupt() }
    _ = await becomeEmpty(within: afterInterrupt)
  }

  private func becomeEmpty(within limit: Duration) async -> Bool {
    if runs.isEmpty { return true }
    let isEmpty = Promise<Void>()
    self.isEmpty = isEmpty
    let deadline = Deadline { isEmpty.fulfil(()) }
    defer { deadline.close() }
    deadline.start(limit)
    await isEmpty.getRegardless()
    return runs.isEmpty
  }
}
