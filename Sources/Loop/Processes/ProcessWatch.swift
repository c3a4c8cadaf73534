import CUV
import Glibc

/// Tells when a process ends that is no child of ours.
@LoopActor
public final class ProcessWatch: Handle {
  private let descriptor: Descriptor
  private let endings = WaitQueue()
  private var hasEnded = false

  /// Watches from now on. Whoever makes one closes it.
  /// - Throws: `UVError.noSuchProcess` where it has ended and its parent knows; `notSupported` before Linux 5.3.
  public init(_ process: Int32) throws(UVError) {
    // It is closed with this object, which lives until libuv has let go of the handle.
    let descriptor = Descriptor(adopting: try retrying { openProcess(process) })
    self.descriptor = descriptor
    try super.init(uv_poll_t.self) { uv_poll_init(EventLoop.shared.raw, $0, descriptor.number) }
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

  /// True where a process has ended, also when nobody has waited for it yet; false where the system cannot tell.
  public static func hasEnded(_ process: Int32) -> Bool {
    do {
      let descriptor = Descriptor(adopting: try retrying { openProcess(process) })
      var state = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
      return poll(&state, 1, 0) > 0
    } catch {
      return error == .noSuchProcess
    }
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

extension Signal {
  /// Sends it to all in the process group of that number.
  /// - Returns: false where there is none.
  @discardableResult
  public func send(toGroup group: Int32) -> Bool { Glibc.kill(-group, rawValue) == 0 }

  /// Sends it to a process. Does nothing where there is none.
  public func send(to process: Int32) { _ = Glibc.kill(process, rawValue) }
}
