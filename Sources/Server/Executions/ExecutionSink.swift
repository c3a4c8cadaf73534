import Loop

/// Where the output of one execution goes.
///
/// A call returns when the receiver has room for more; until then the kernel's output waits. After the receiver has
/// gone, a sink drops everything.
@LoopActor
protocol ExecutionSink: AnyObject {
  /// Called once when the receiver turns out to be gone.
  var onLoss: (@LoopActor () -> Void)? { get set }

  /// Accepts the request. Idempotent; `send` and `finish` call it if necessary.
  func begin() async

  /// Sends these events, in order.
  func send(_ events: [OutputEvent]) async

  /// Ends the output. Nothing follows.
  func finish() async
}
