extension EventLoop {
  /// Waits for at least `duration`.
  ///
  /// - Throws: `CancellationError` as soon as the task is cancelled.
  @LoopActor
  public static func sleep(for duration: Duration) async throws {
    let expiry = Promise<Void>()
    let deadline = Deadline { expiry.fulfil(()) }
    defer { deadline.close() }
    deadline.start(duration)
    try await expiry.get()
  }
}

/// Thrown by `withDeadline` when the time is over.
public struct DeadlineExceeded: Error, Equatable, CustomStringConvertible {
  /// The limit that was exceeded.
  let duration: Duration

  /// The error for work that was limited to `duration`.
  init(after duration: Duration) { self.duration = duration }

  /// The error in words.
  public var description: String { "not done within \(duration)" }
}

/// Runs `body` in a child task and cancels it when it takes longer than `duration`. A cancelled caller cancels it too.
///
/// - Returns: what `body` returns, also if it returns late.
/// - Throws: `DeadlineExceeded` if `body` throws after it was cancelled for the time; otherwise what `body` throws.
@LoopActor
public func withDeadline<R: Sendable>(
  _ duration: Duration, _ body: @escaping @LoopActor () async throws -> R
) async throws -> R {
  try await withThrowingTaskGroup(of: Race<R>.self) { group in
    // The closures are not isolated, so that the tasks begin where the caller's preference says.
    group.addTask { .finished(try await body()) }
    group.addTask {
      do {
        try await EventLoop.sleep(for: duration)
        return .expired
      } catch {
        return .stopped
      }
    }
    defer { group.cancelAll() }
    var hasExpired = false
    do {
      while let outcome = try await group.next() {
        switch outcome {
        case .finished(let result): return result
        case .expired:
          hasExpired = true
          group.cancelAll()
        case .stopped: break
        }
      }
    } catch {
      throw hasExpired ? DeadlineExceeded(after: duration) : error
    }
    throw CancellationError()
  }
}

/// How one of the two child tasks ended.
private enum Race<R: Sendable>: Sendable {
  case finished(R), expired, stopped
}
