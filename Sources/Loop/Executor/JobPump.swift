import CUV

/// The handles that make the loop run jobs: before and after each poll, and when another thread queues one.
@LoopActor
final class JobPump {
  private let before: Handle
  private let after: Handle
  private let idle: Handle
  private let wakeUpHandle: Handle
  private var isTurning = false

  /// For `uv_async_send`, which other threads may call.
  let wakeUp: UnsafeMutablePointer<uv_async_t>

  init(of loop: UnsafeMutablePointer<uv_loop_t>) throws(UVError) {
    before = try Handle(uv_prepare_t.self) { uv_prepare_init(loop, $0) }
    after = try Handle(uv_check_t.self) { uv_check_init(loop, $0) }
    idle = try Handle(uv_idle_t.self) { uv_idle_init(loop, $0) }
    wakeUpHandle = try Handle(uv_async_t.self) {
      uv_async_init(loop, $0) { _ in EventLoop.shared.adoptForeignJobs() }
    }
    wakeUp = wakeUpHandle.pointer(as: uv_async_t.self)
    uv_prepare_start(before.pointer(as: uv_prepare_t.self)) { _ in EventLoop.shared.drain() }
    uv_check_start(after.pointer(as: uv_check_t.self)) { _ in EventLoop.shared.drain() }
  }

  /// With true, polls return at once: an active idle handle makes libuv's poll time-out zero.
  nonisolated func keepTurning(_ wanted: Bool) {
    LoopActor.enter {
      guard wanted != isTurning else { return }
      isTurning = wanted
      let pointer = idle.pointer(as: uv_idle_t.self)
      _ = wanted ? uv_idle_start(pointer) { _ in } : uv_idle_stop(pointer)
    }
  }

  func close() {
    for handle in [before, after, idle, wakeUpHandle] { handle.startClosing() }
  }
}
