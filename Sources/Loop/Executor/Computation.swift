/// Work without I/O whose time grows with the number of bytes, such as checking that they are JSON.
///
/// Short work is done at once. Long work runs on libuv's thread pool, so that it does not block the loop. Callers that need
/// an order wait for each piece of work before they begin the next.
@LoopActor
public enum Computation {
  /// The least number of bytes for which work goes to another thread. On the loop they take about 0.1 ms, as much as the way
  /// to the other thread and back.
  public nonisolated static let longLength = 1 << 20

  /// Half of the pool's four threads; the other half is for files.
  private static let threads = Semaphore(permits: 2)

  /// Runs `body`, which works on `count` bytes.
  ///
  /// - Throws: what `body` throws; `CancellationError` if the task is cancelled before the work begins on another thread.
  ///   Work that has begun is not cancelled.
  @inlinable
  public static func run<Success: Sendable>(
    over count: Int, _ body: @escaping @Sendable () throws -> Success
  ) async throws -> Success {
    // Inlinable, because a call of an async function looks at the executor on both ways: some 270 instructions each.
    if count < longLength { try body() } else { try await runOnPool(body) }
  }

  @usableFromInline
  static func runOnPool<Success: Sendable>(
    _ body: @escaping @Sendable () throws -> Success
  ) async throws -> Success {
    try await threads.withPermit { try await Pending { Result(catching: body) }.value().get() }
  }
}
