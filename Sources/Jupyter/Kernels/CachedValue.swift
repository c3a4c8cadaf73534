import Loop

/// A value that takes time to find out, and is found out again when it is too old. Callers that ask at the same time share
/// one answer.
@LoopActor
final class CachedValue<Value: Sendable> {
  private let find: @LoopActor () async throws -> Value
  private var found: (value: Value, since: UInt64)?
  private var finding: Promise<Result<Void, any Error>>?

  /// - Parameter find: finds it out.
  init(_ find: @escaping @LoopActor () async throws -> Value) { self.find = find }

  /// The value as it was at most `maximumAge` ago, counted from the call.
  ///
  /// - Throws: what finding it out throws; `CancellationError`.
  func value(maximumAge: Duration) async throws -> Value {
    let asked = EventLoop.now
    while true {
      if let found, found.since + maximumAge.nanoseconds >= asked { return found.value }
      try await (finding ?? begin()).get().get()
    }
  }

  /// Finds it out for all callers. It goes on if one of them is cancelled.
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
