import Glibc
import Loop
public import Testing

/// The loop of the process, on its own thread, for the tests of all modules.
public enum TestLoop {
  /// What the loop waits for. Kept, so that leak checkers find the task that waits.
  @LoopActor private static var forEver: UnsafeContinuation<Void, Never>?

  private static let started: Void = {
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { _ in
        _ = EventLoop.shared.run {
          await withUnsafeContinuation { forEver = $0 }
          return 0
        }
        return nil
      }, nil)
    precondition(status == 0)
    pthread_detach(thread)
  }()

  private static let turns = Turns()

  /// Starts the loop; it runs until the process ends.
  public static func start() { _ = started }

  /// Runs `body` on the loop and checks that it leaves no further handles open. One at a time, even if suites run in
  /// parallel: otherwise handles of other tests would be counted.
  @discardableResult
  public static func run<R: Sendable>(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: @escaping @LoopActor () async throws -> R
  ) async throws -> R {
    start()
    await turns.take()
    do {
      let result = try await runCounting(sourceLocation, body)
      await turns.pass()
      return result
    } catch {
      await turns.pass()
      throw error
    }
  }

  @LoopActor
  private static func runCounting<R: Sendable>(
    _ location: SourceLocation, _ body: @escaping @LoopActor () async throws -> R
  ) async throws -> R {
    let before = EventLoop.shared.activeHandleCount
    let result = try await body()
    #expect(EventLoop.shared.activeHandleCount == before, sourceLocation: location)
    return result
  }
}

/// First come, first served.
private actor Turns {
  private var isTaken = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func take() async {
    guard isTaken else {
      isTaken = true
      return
    }
    await withCheckedContinuation { waiting.append($0) }
  }

  func pass() {
    if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() }
  }
}
