import CUV

/// A call that blocks, on one of libuv's threads. It is under way from the moment it is made.
///
/// `@unchecked Sendable`: `body` belongs to the pool's thread until libuv calls back on the loop.
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

  /// Apart from `init`, whose isolation its closures would inherit, which the pool's threads can not have.
  private func submit() {
    let status = uv_queue_work(
      EventLoop.shared.raw, request, { PoolJob.at($0)?.run() }, { request, _ in PoolJob.finish(request) })
    precondition(status == 0, "libuv takes every job that has a function")
  }

  deinit { request.deallocate() }

  /// Waits for the end also when the task is cancelled: a call that has begun can not be stopped. One that waits for
  /// a thread is not begun any more then.
  @LoopActor func finish() async {
    await withTaskCancellationHandler {
      await finishRegardless()
    } onCancel: {
      LoopActor.perform { if !self.isFinished { uv_cancel(self.cancellable) } }
    }
  }

  /// Waits for the end and does not cancel: for clearing away.
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
    // Here and not on the loop, as the last reference to a descriptor closes it, which may take its time.
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

/// What a call on the thread pool will have brought.
@LoopActor
struct Pending<Success: Sendable> {
  /// `@unchecked Sendable`: written before the job is finished, read after.
  private final class Outcome: @unchecked Sendable {
    var result: Result<Success, UVError>?
  }

  private let outcome: Outcome
  private let job: PoolJob

  /// Begins with `body` at once, or as soon as a thread is free.
  init(_ body: @escaping @Sendable () throws(UVError) -> Success) {
    let outcome = Outcome()
    self.outcome = outcome
    job = PoolJob { outcome.result = Result(catching: body) }
  }

  /// True when `value` will not wait.
  var isFinished: Bool { job.isFinished }

  /// - Throws: `UVError`, or `CancellationError` where the task was cancelled before the call began.
  func value() async throws -> Success {
    await job.finish()
    guard let result = outcome.result else { throw CancellationError() }
    return try result.get()
  }

  /// The same for what must be done even though the task is cancelled.
  func valueRegardless() async throws -> Success {
    await job.finishRegardless()
    guard let result = outcome.result else { throw UVError.cancelled }
    return try result.get()
  }
}
