import Loop

/// One request to a kernel and what the kernel says to it, until the receiver has all that it wants.
@LoopActor
final class PendingRequest {
  private enum State {
    case open
    case awaited(CheckedContinuation<Void, any Error>)
    case finished(Result<Void, any Error>)
  }

  /// The kernel has said something to it.
  var isHeard = false
  /// Takes a message; true when it was the last that is wanted.
  let receive: @LoopActor (Message) async -> Bool
  private var state = State.open

  init(receive: @escaping @LoopActor (Message) async -> Bool) { self.receive = receive }

  /// Waits for the end. Called once; it may have come before.
  func end() async throws {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { self.suspend($0) }
    } onCancel: {
      LoopActor.task { self.finish(.failure(CancellationError())) }
    }
  }

  /// Ends the exchange; only the first call counts.
  func finish(_ result: Result<Void, any Error>) {
    switch state {
    case .open: state = .finished(result)
    case .finished: break
    case .awaited(let continuation):
      state = .finished(result)
      continuation.resume(with: result)
    }
  }

  private func suspend(_ continuation: CheckedContinuation<Void, any Error>) {
    if case .finished(let result) = state {
      continuation.resume(with: result)
    } else {
      state = .awaited(continuation)
    }
  }
}
