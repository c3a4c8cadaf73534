import Loop

/// A value that takes time to compute, with a maximum age. Concurrent callers share one computation.
@LoopActor
final class CachedValue<Value: Sendable> {
  private let find: @LoopActor () async throws -> Value
  private var found: (value: Value, since: UInt64)?
  private var finding: Promise<Result<Void, any Error>>?

  /// - Parameter find: computes the value.
  init(_ find: @escaping @LoopActor () async throws -> Value) { self.find = find }

  /// The value as it was at most `maximumAge` ago, counted from the call.
  ///
  /// - Throws: the errors of the computation; `CancellationError`.
  func value(maximumAge: Duration) async throws -> Value {
    let asked = EventLoop.now
    while true {
      if let found, found.since + maximumAge.nanoseconds >= asked { return found.value }
      try await (finding ?? begin()).get().get()
    }
  }

  /// Computes the value for all callers. Continues if one of them is cancelled.
  private func begin() -> Promise<Result<Void, any Error>> {
    let promise = Promise<Result<Void, any Error>>()
    let since = EventLoop.now
    finding = promise
    LoopActor.task {
      do {
        self.found = (try await self.find(), since)
        self.finding = nil
        promise.fulfil(.success(()))
      } catch {
        self.finding = nil
        promise.fulfil(.failure(error))
      }
    }
    return promise
  }
}
