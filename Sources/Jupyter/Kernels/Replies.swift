import Loop

/// What a kernel says to one request, in order, up to its reply and the status `idle`. A request that has lost its reply
/// ends where `Kernel.concludeIfLost` says so.
///
/// It can be iterated over once. While the consumer deals with a message the kernel's output waits: that is how a slow
/// client slows its kernel. The request is given up when the sequence and its iterator are released.
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

  /// The next message; nil when the kernel has said all.
  ///
  /// - Throws: `KernelEnd` when the kernel or the connection to it is lost first, `diedBefore` if it is certain that the
  ///   kernel has not received the request; `CancellationError`.
  public mutating func next(isolation actor: isolated (any Actor)?) async throws -> Message? {
    try await pending.next()
  }

  /// Has `handler` called when the kernel ends before the request does, also while the consumer is busy with a message.
  @LoopActor
  public func onKernelEnd(_ handler: @escaping @LoopActor (KernelEnd) -> Void) { pending.onFailure = handler }

  @LoopActor
  private final class Registration {
    private let close: @LoopActor () -> Void
    nonisolated init(close: @escaping @LoopActor () -> Void) { self.close = close }
    isolated deinit { close() }
  }
}
