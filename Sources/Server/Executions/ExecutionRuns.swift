import HTTPServer
import Loop

/// The executions that are under way, and whether new ones may come: none may once the server drains.
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

  /// Lets no new ones in, waits `grace` for those under way, interrupts the rest, and waits for them that long again
  /// at the most.
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
