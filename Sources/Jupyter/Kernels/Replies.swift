import Loop

/// The messages of a request, in order, up to its reply and the status `idle`. A request that has lost its reply is
/// ended by `Kernel.concludeIfLost`.
///
/// It can be iterated over once. The kernel's output waits while the consumer processes a message: this is how a slow
/// client slows its kernel. The request is abandoned when the sequence and its iterator are released.
///
/// https://jupyter-client.readthedocs.io/en/stable/messaging.html#request-reply
public struct Replies: AsyncSequence, AsyncIteratorProtocol {
  private let pending: PendingRequest
  private let registration: Registration

  init(_ pending: PendingRequest, close: @escaping @LoopActor () -> Void) {
    self.pending = pending
    registration = Registration(close: close)
  }

  /// The one iterator.
  public func makeAsyncIterator() -> Replies { self }

  /// The next message; nil after the last one.
  ///
  /// - Throws: `KernelEnd` if the kernel or the connection to it is lost first, `diedBefore` if the kernel certainly
  ///   has not received the request; `CancellationError`.
  public mutating func next(isolation actor: isolated (any Actor)?) async throws -> Message? {
    try await pending.next()
  }

  /// Sets a handler for the end of the kernel during the request. It is called even while the consumer is busy with a
  /// message.
  @LoopActor
  public func onKernelEnd(_ handler: @escaping @LoopActor (KernelEnd) -> Void) { pending.onFailure = handler }

  @LoopActor
  private final class Registration {
    private let close: @LoopActor () -> Void
    nonisolated init(close: @escaping @LoopActor () -> Void) { self.close = close }
    isolated deinit { close() }
  }
}
