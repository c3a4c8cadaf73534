import CUV
import Glibc

/// Reports the end of a process that is not a child of this one (pidfd_open(2)).
@LoopActor
public final class ProcessWatcher: Handle {
  private let process: ProcessDescriptor
  private let endings = WaitQueue()
  private var hasEnded = false

  /// Starts watching. The owner closes it.
  /// - Throws: `UVError.notSupported` before Linux 5.3.
  public init(_ process: ProcessDescriptor) throws(UVError) {
    guard let number = process.descriptor?.number else { throw .notSupported }
    // libuv uses the descriptor until the handle is closed, and this object lives until then.
    self.process = process
    try super.init(uv_poll_t.self) { uv_poll_init(EventLoop.shared.raw, $0, number) }
    uv_poll_start(pointer(as: uv_poll_t.self), CInt(UV_READABLE.rawValue)) { handle, _, _ in
      guard let owner = Handle.owner(handle?.pointee.data, as: ProcessWatcher.self) else { return }
      LoopActor.enter { owner.didEnd() }
    }
  }

  /// Waits for its end.
  /// - Throws: `UVError.cancelled` when closed, `CancellationError`.
  public func untilEnd() async throws {
    try await endings.wait { hasEnded || !isOpen }
    if !hasEnded { throw UVError.cancelled }
  }

  /// Stops watching. Idempotent.
  public func close() { startClosing() }

  override func willClose() { endings.wakeAll() }

  private func didEnd() {
    hasEnded = true
    // The descriptor stays readable, so the poll would never block.
    uv_poll_stop(pointer(as: uv_poll_t.self))
    endings.wakeAll()
  }
}
