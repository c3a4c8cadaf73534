public import Loop

/// The connection to one kernel: a WebSocket of a Jupyter Server, or ZeroMQ sockets.
@LoopActor
public protocol KernelChannel: AnyObject, Sendable {
  /// Sends a request. On return it is sent, but may not have been received.
  ///
  /// - Throws: when the channel is lost.
  func send(_ request: KernelRequest) async throws

  /// True if it is certain that the kernel has not received the request with this identifier, and will not.
  func hasMissed(_ request: MessageIdentifier) -> Bool

  /// Waits for the next event. One caller at a time. While nobody calls it, the kernel's output waits.
  ///
  /// - Throws: when the channel is lost.
  func next() async throws -> KernelEvent

  /// Starts reading ahead, because the kernel drops output that is not read. Called between two calls of `next`.
  func takeOutputAtOnce()

  /// Sets a handler for too much unread output. From then on output is dropped, and the code that prints it must be
  /// interrupted. `next` reports the loss in place of the output.
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

/// An event of a channel.
public enum KernelEvent: Sendable {
  /// A message of the kernel.
  case message(Message)
  /// Output was dropped.
  case lost(OutputLoss)
  /// The kernel's process has ended; how, as far as it is known.
  case died(String)
}
