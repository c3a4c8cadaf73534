import CUV

/// A call that blocks, on libuv's thread pool (uv_queue_work). It is queued by `init`.
///
/// `@unchecked Sendable`: only the pool's thread uses `body`, until libuv calls back on the loop.
final class PoolJob: @unchecked Sendable {
  private let request = UnsafeMutablePointer<uv_work_t>.allocate(capacity: 1)
  private var body: (() -> Void)?
  @LoopActor private let finished = WaitQueue()
  @LoopActor private(set) var isFinished = false

  @LoopActor init(_ body: @escaping @Sendable () -> Void) {
    self.body = body
    request.pointee.data = Unmanaged.passRetained(self).toOpaque()
    submit()
  }

  /// Not in `init`: its closures would inherit the isolation to the loop, and the pool's threads do not have it.
  private func submit() {
    let status = uv_queue_work(
      EventLoop.shared.raw, request, { PoolJob.at($0)?.run() }, { request, _ in PoolJob.finish(request) })
    precondition(status == 0, "uv_queue_work fails only without a function")
  }

  deinit { request.deallocate() }

  /// Waits for the end of the call. Cancelling the task removes a call that still waits for a thread; a call that has
  /// begun cannot be stopped (uv_cancel).
  @LoopActor func finish() async {
    await withTaskCancellationHandler {
      await finishRegardless()
    } onCancel: {
      LoopActor.perform { if !self.isFinished { uv_cancel(self.cancellable) } }
    }
  }

  /// Waits for the end of the call, also in a cancelled task: for clean-up.
  @LoopActor func finishRegardless() async {
    await finished.waitRegardless { isFinished }
  }

  private var cancellable: UnsafeMutablePointer<uv_req_t> {
    UnsafeMutableRawPointer(request).assumingMemoryBound(to: uv_req_t.self)
  }

  private static func at(_ request: UnsafeMutablePointer<uv_work_t>?) -> PoolJob? {
    request?.pointee.data.map { Unmanaged<PoolJob>.fromOpaque($0).takeUnretainedValue() }
  }

  private func run() {
    body?()
    // Not on the loop: this may be the last reference to a descriptor, and closing a file may take time.
    body = nil
  }

  private static func finish(_ request: UnsafeMutablePointer<uv_work_t>?) {
    guard let data = request?.pointee.data else { return }
    let job = Unmanaged<PoolJob>.fromOpaque(data).takeRetainedValue()
    LoopActor.enter {
      job.isFinished = true
      job.finished.wakeAll()
    }
  }
}

/// The result of a call on libuv's thread pool, four threads by default. `init` queues the call.
@LoopActor
public struct Pending<Success: Sendable> {
  /// `@unchecked Sendable`: the pool's thread writes it before the job is finished, and the loop reads it afterwards.
  private final class Outcome: @unchecked Sendable {
    var result: Result<Success, UVError>?
  }

  private let outcome: Outcome
  private let job: PoolJob

  /// Queues `body`. It begins as soon as a thread is free.
  public init(_ body: @escaping @Sendable () throws(UVError) -> Success) {
    let outcome = Outcome()
    self.outcome = outcome
    job = PoolJob { outcome.result = Result(catching: body) }
  }

  /// Waits for the result.
  /// - Throws: `UVError`, or `CancellationError` where the task was cancelled before the call began.
  public func value() async throws -> Success {
    await job.finish()
    guard let result = outcome.result else { throw CancellationError() }
    return try result.get()
  }

  /// Waits for the result, also in a cancelled task: for clean-up.
  /// - Throws: `UVError`.
  public func valueRegardless() async throws -> Success {
    await job.finishRegardless()
    guard let result = outcome.result else { throw UVError.cancelled }
    return try result.get()
  }
}
