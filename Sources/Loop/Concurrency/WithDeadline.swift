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

/// What `withDeadline` throws when time ran out.
public struct DeadlineExceeded: Error, Equatable, CustomStringConvertible {
  /// The time that there was.
  public let duration: Duration

  /// The error for work that had `duration`.
  public init(after duration: Duration) { self.duration = duration }

  /// The error in words.
  public var description: String { "not done within \(duration)" }
}

/// Runs `body` and cancels it when it takes longer than `duration`.
///
/// Throws `DeadlineExceeded` when `body`, being cancelled for that reason, threw; whatever `body` returns or throws
/// otherwise is passed on, also when it came late. It runs in a child task, so that its cancellation is not the
/// caller's; a cancelled caller cancels it too.
@LoopActor
public func withDeadline<R: Sendable>(
  _ duration: Duration, _ body: @escaping @LoopActor () async throws -> R
) async throws -> R {
  try await withThrowingTaskGroup(of: Race<R>.self) { group in
    // Not isolated themselves, so that they begin where the preference of the caller says.
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

/// How each of the two children of a deadline ended.
private enum Race<R: Sendable>: Sendable {
  case finished(R), expired, stopped
}
