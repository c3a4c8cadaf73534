import CUV

/// A timer that is started and stopped often, such as a connection's time-outs.
///
/// It is one libuv timer for its whole life: starting and stopping only moves it in libuv's heap.
@LoopActor
public final class Deadline {
  private let timer: Timer

  /// A stopped deadline. `onExpiry` runs inside libuv's callback and must be short: set a flag, abort a stream.
  public init(onExpiry: @escaping @LoopActor () -> Void) { timer = Timer(onExpiry: onExpiry) }

  /// True between `start` and expiry or `stop`.
  var isRunning: Bool { timer.isRunning }

  /// Makes it expire once, `duration` from now. A running deadline is started anew.
  public func start(_ duration: Duration) { timer.start(duration) }

  /// Stops it; it may be started again.
  public func stop() { timer.stop() }

  /// Stops it for good and frees its memory. The owner must call it. Idempotent.
  public func close() { timer.startClosing() }
}

/// A one-shot libuv timer.
final class Timer: Handle {
  private let onExpiry: @LoopActor () -> Void

  init(onExpiry: @escaping @LoopActor () -> Void) {
    self.onExpiry = onExpiry
    super.init(infallible: uv_timer_t.self) { uv_timer_init(EventLoop.shared.raw, $0) }
  }

  var isRunning: Bool { isOpen && uv_is_active(pointer(as: uv_handle_t.self)) != 0 }

  func start(_ duration: Duration) {
    guard isOpen else { return }
    let timer = pointer(as: uv_timer_t.self)
    // libuv counts from the beginning of this turn of the loop, which may be long ago.
    uv_update_time(EventLoop.shared.raw)
    uv_timer_start(
      timer,
      { timer in
        guard let owner = Handle.owner(timer?.pointee.data, as: Timer.self) else { return }
        LoopActor.enter { owner.onExpiry() }
      }, duration.milliseconds, 0)
  }

  func stop() {
    if isOpen { uv_timer_stop(pointer(as: uv_timer_t.self)) }
  }
}
