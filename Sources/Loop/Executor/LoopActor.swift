/// Everything that the program does happens on this actor: its executor is the libuv loop.
@globalActor
public actor LoopActor {
  /// The one instance.
  public static let shared = LoopActor()

  /// The loop itself, which outlives every actor and job.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    EventLoop.shared.asUnownedSerialExecutor()
  }

  /// Enters the actor from a C callback, which libuv runs on the loop's thread. Checked in debug builds.
  nonisolated static func enter(_ body: @LoopActor () -> Void) {
    assert(EventLoop.shared.isOnLoopThread, "a callback of the loop ran on another thread")
    withoutActuallyEscaping(body) { isolated in
      // The isolation is part of the type alone: on the loop's thread calling it plainly is what the executor does.
      unsafeBitCast(isolated, to: (() -> Void).self)()
    }
  }

  /// Runs `body` at once on the loop's thread, else as a job. For cancellation handlers, which run on any thread.
  public nonisolated static func perform(_ body: @escaping @LoopActor @Sendable () -> Void) {
    if EventLoop.shared.isOnLoopThread {
      enter(body)
    } else {
      Task { @LoopActor in body() }
    }
  }
}
