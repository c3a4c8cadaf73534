import Glibc
import Testing

@testable import Loop

/// The loop on a thread of its own, started once, so that tests can be isolated to `@LoopActor`.
enum LoopThread {
  private static let started: Void = {
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { _ in
        _ = EventLoop.shared.run {
          try? await WaitQueue().wait { false }  // for ever
          return 0
        }
        return nil
      }, nil)
    precondition(status == 0)
    pthread_detach(thread)
  }()

  static func start() { _ = started }
}

/// Runs `body` on the loop and checks that it leaves no more handles than there were.
///
/// Only for suites that are serialized: other tests' handles would be counted too.
@discardableResult
func onLoop<R: Sendable>(
  sourceLocation: SourceLocation = #_sourceLocation, _ body: @escaping @LoopActor () async throws -> R
) async throws -> R {
  LoopThread.start()
  return try await runCounting(sourceLocation, body)
}

@LoopActor
private func runCounting<R: Sendable>(
  _ location: SourceLocation, _ body: @escaping @LoopActor () async throws -> R
) async throws -> R {
  let before = EventLoop.shared.activeHandleCount
  let result = try await body()
  #expect(EventLoop.shared.activeHandleCount == before, sourceLocation: location)
  return result
}

/// All tests of the loop stand in this suite, which runs one at a time.
@Suite(.serialized) enum LoopTests {}
