import Loop

/// Where the output of one execution goes.
///
/// A call returns when the receiver has room for more: until then the kernel's output waits. A sink whose receiver is gone
/// takes everything and drops it.
@LoopActor
protocol ExecutionSink: AnyObject {
  /// Called once when the receiver turns out to be gone.
  var onLoss: (@LoopActor () -> Void)? { get set }

  /// Tells the receiver that its request was accepted. Idempotent; `send` and `finish` do it where nobody has.
  func begin() async

  /// Sends these events, in order.
  func send(_ events: [OutputEvent]) async

  /// Ends the output. Nothing follows.
  func finish() async
}
