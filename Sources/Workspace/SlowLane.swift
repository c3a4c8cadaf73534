import Loop

/// Calls on the thread pool that may take seconds: waiting for the disk, clearing away or listing large directories.
///
/// They get no more than half of libuv's four threads, as libuv itself does with the resolution of names, so that reading
/// and writing go on beside them.
@LoopActor
enum SlowLane {
  private static let threads = Semaphore(permits: 2)

  /// Waits for its turn and then for the result.
  /// - Throws: `UVError`, or `CancellationError` where the task was cancelled before the call began.
  static func run<Success: Sendable>(
    _ body: @escaping @Sendable () throws(UVError) -> Success
  ) async throws -> Success {
    try await threads.withPermit { try await Pending(body).value() }
  }
}
