import CUV
import Glibc

/// Tells when a process ends that is no child of ours.
@LoopActor
public final class ProcessWatch: Handle {
  private let process: ProcessDescriptor
  private let endings = WaitQueue()
  private var hasEnded = false

  /// Watches from now on. Whoever makes one closes it.
  /// - Throws: `UVError.notSupported` before Linux 5.3.
  public init(_ process: ProcessDescriptor) throws(UVError) {
    guard let number = process.descriptor?.number else { throw .notSupported }
    // Its descriptor is closed after this object, which lives until libuv has let go of the handle.
    self.process = process
    try super.init(uv_poll_t.self) { uv_poll_init(EventLoop.shared.raw, $0, number) }
    uv_poll_start(pointer(as: uv_poll_t.self), CInt(UV_READABLE.rawValue)) { handle, _, _ in
      guard let owner = Handle.owner(handle?.pointee.data, as: ProcessWatch.self) else { return }
      LoopActor.enter { owner.didEnd() }
    }
  }

  /// Waits for its end.
  /// - Throws: `UVError.cancelled` when closed, `CancellationError`.
  public func untilEnd() async throws {
    try await endings.wait { hasEnded || !isOpen }
    if !hasEnded { throw UVError.cancelled }
  }

  /// Watches no more. Idempotent.
  public func close() { startClosing() }

  override func willClose() { endings.wakeAll() }

  private func didEnd() {
    hasEnded = true
    // It stays readable, and would keep the loop turning.
    uv_poll_stop(pointer(as: uv_poll_t.self))
    endings.wakeAll()
  }
}
