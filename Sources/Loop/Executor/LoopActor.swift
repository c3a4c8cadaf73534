/// The actor of the whole program. Its executor is the libuv loop.
@globalActor
public actor LoopActor {
  /// The one instance.
  public static let shared = LoopActor()

  /// The loop itself, which outlives every actor and job.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    EventLoop.shared.asUnownedSerialExecutor()
  }

  /// Enters the actor from a C callback, which libuv runs on the loop's thread. Debug builds check that.
  nonisolated static func enter(_ body: @LoopActor () -> Void) {
    assert(EventLoop.shared.isOnLoopThread, "a callback of the loop ran on another thread")
    withoutActuallyEscaping(body) { isolated in
      // The isolation exists only in the type. On the loop's thread a plain call does what the executor does.
      unsafeBitCast(isolated, to: (() -> Void).self)()
    }
  }

  /// Runs `body` at once if called on the loop's thread, else as a job. For cancellation handlers, which run on any thread.
  public nonisolated static func perform(_ body: @escaping @LoopActor @Sendable () -> Void) {
    if EventLoop.shared.isOnLoopThread {
      enter(body)
    } else {
      Task { @LoopActor in body() }
    }
  }
}
