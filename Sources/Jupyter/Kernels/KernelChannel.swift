public import Loop

/// The way to one kernel: a WebSocket of a Jupyter Server, or ZeroMQ sockets.
@LoopActor
public protocol KernelChannel: AnyObject, Sendable {
  /// Sends a request. It is on its way when this returns, not yet received.
  ///
  /// - Throws: when the channel is lost.
  func send(_ request: KernelRequest) async throws

  /// True where it is certain that the kernel has not got the request with this identifier, and will not.
  func hasMissed(_ request: MessageIdentifier) -> Bool

  /// Waits for what the kernel says next. One caller at a time; not asking holds the kernel's output back.
  ///
  /// - Throws: when the channel is lost.
  func next() async throws -> KernelEvent

  /// Has what the kernel says taken at once from now on: it has not said that it keeps what nobody takes. Called between
  /// two calls of `next`.
  func takeOutputAtOnce()

  /// Has `handler` called when more output waits to be taken than may, and is dropped from then on: whatever makes it is to
  /// be stopped. `next` tells of the loss where it belongs.
  func onOverflow(_ handler: @escaping @LoopActor () -> Void)

  /// Closes the channel; a `next` under way throws.
  func close() async
}

extension KernelChannel {
  /// Who speaks to the kernel through others cannot know.
  public func hasMissed(_ request: MessageIdentifier) -> Bool { false }

  /// Who speaks to the kernel through others cannot help it.
  public func takeOutputAtOnce() {}

  /// Most channels hold no more than they are asked for.
  public func onOverflow(_ handler: @escaping @LoopActor () -> Void) {}
}

/// What comes over a channel.
public enum KernelEvent: Sendable {
  /// The kernel said something.
  case message(Message)
  /// Output was dropped here.
  case lost(OutputLoss)
  /// The kernel's process has ended; says how, as far as that is known.
  case died(String)
}
