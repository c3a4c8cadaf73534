/// A value that is set once, and that any number of tasks wait for.
@LoopActor
public final class Promise<Value: Sendable> {
  /// nil until `fulfil` is called.
  public private(set) var value: Value?
  private let waiting = WaitQueue()

  /// A promise without a value.
  public nonisolated init() {}

  /// Sets the value. Only the first call counts.
  public func fulfil(_ value: Value) {
    guard self.value == nil else { return }
    self.value = value
    waiting.wakeAll()
  }

  /// Waits for the value.
  ///
  /// - Throws: `CancellationError`.
  public func get() async throws -> Value {
    while true {
      if let value { return value }
      try await waiting.wait { value != nil }
    }
  }

  /// Waits for the value, also if the task is cancelled.
  public func getRegardless() async -> Value {
    while true {
      if let value { return value }
      await waiting.waitRegardless { value != nil }
    }
  }
}
