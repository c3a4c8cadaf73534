/// Work for the processor alone that takes longer the more bytes it is about, such as to check that they are JSON.
///
/// What is short is done at once. What is long goes to libuv's thread pool, and others have the loop meanwhile. Whoever
/// needs an order keeps it by waiting for the one before.
@LoopActor
public enum Computation {
  /// From so many bytes on the work goes to another thread: it takes the loop some tenth of a millisecond, as much as the
  /// way to the other thread and back may.
  public nonisolated static let longLength = 1 << 20

  /// The other half of the pool's four threads is for files.
  private static let threads = Semaphore(permits: 2)

  /// The result of `body`, which is about `count` bytes.
  ///
  /// - Throws: what `body` throws; `CancellationError` where the task was cancelled before the work began on another thread.
  ///   Work that has begun is waited for.
  public static func run<Success: Sendable>(
    over count: Int, _ body: @escaping @Sendable () throws -> Success
  ) async throws -> Success {
    guard count >= longLength else { return try body() }
    return try await threads.withPermit { try await Pending { Result(catching: body) }.value().get() }
  }
}
