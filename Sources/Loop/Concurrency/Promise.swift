/// A value that will be known, for all who wait for it.
@LoopActor
public final class Promise<Value: Sendable> {
  /// The value; nil while it is not known.
  public private(set) var value: Value?
  private let waiting = WaitQueue()

  /// A value that is not known yet.
  public nonisolated init() {}

  /// Says what it is; only the first call counts.
  public func fulfil(_ value: Value) {
    guard self.value == nil else { return }
    self.value = value
    waiting.wakeAll()
  }

  /// Waits for it.
  /// - Throws: `CancellationError`.
  public func get() async throws -> Value {
    while true {
      if let value { return value }
      try await waiting.wait { value != nil }
    }
  }

  /// Waits for it, also when the task is cancelled.
  public func getRegardless() async -> Value {
    while true {
      if let value { return value }
      await waiting.waitRegardless { value != nil }
    }
  }
}
