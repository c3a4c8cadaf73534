public import Loop

/// The connection to one kernel: a WebSocket of a Jupyter Server, or ZeroMQ sockets.
@LoopActor
public protocol KernelChannel: AnyObject, Sendable {
  /// Sends a request. It is on its way when this returns, not yet received.
  ///
  /// - Throws: when the channel is lost.
  func send(_ request: KernelRequest) async throws

  /// True if it is certain that the kernel has not received the request with this identifier, and will not.
  func hasMissed(_ request: MessageIdentifier) -> Bool

  /// Waits for what the kernel says next. One caller at a time. While nobody calls it the kernel's output waits.
  ///
  /// - Throws: when the channel is lost.
  func next() async throws -> KernelEvent

  /// Reads ahead from now on, because the kernel does not keep output that is not read. Called between two calls of `next`.
  func takeOutputAtOnce()

  /// Has `handler` called when more output waits than may. From then on output is dropped, and the code that makes it is to
  /// be interrupted. `next` reports the loss in its place.
  func onOverflow(_ handler: @escaping @LoopActor () -> Void)

  /// Closes the channel; a `next` under way throws.
  func close() async
}

extension KernelChannel {
  /// A channel through a server cannot know.
  public func hasMissed(_ request: MessageIdentifier) -> Bool { false }

  /// Most channels cannot read ahead.
  public func takeOutputAtOnce() {}

  /// Most channels never hold more than one message.
  public func onOverflow(_ handler: @escaping @LoopActor () -> Void) {}
}

/// What comes over a channel.
public enum KernelEvent: Sendable {
  /// The kernel said something.
  case message(Message)
  /// Output was dropped.
  case lost(OutputLoss)
  /// The kernel's process has ended; says how, as far as that is known.
  case died(String)
}
