import CUV

/// Tells when names come to a directory, or go.
@LoopActor
public final class DirectoryWatcher: Handle {
  private let arrivals = WaitQueue()

  /// How often something has changed, or `wake` was called.
  public private(set) var changes = 0

  /// Watches from now on. Whoever makes one closes it.
  /// - Throws: `SystemRequirementError`, where inotify(7) has reached one of its limits.
  public init(_ directory: String) throws(SystemRequirementError) {
    super.init(infallible: uv_fs_event_t.self) { uv_fs_event_init(EventLoop.shared.raw, $0) }
    let status = uv_fs_event_start(
      pointer(as: uv_fs_event_t.self),
      { handle, _, _, _ in
        guard let owner = Handle.owner(handle?.pointee.data, as: DirectoryWatcher.self) else { return }
        LoopActor.enter { owner.wake() }
      }, directory, 0)
    if status < 0 {
      startClosing()
      throw .inotify(directory, UVError(rawValue: status))
    }
  }

  /// Waits until there have been more than `seen` changes.
  /// - Throws: `UVError.cancelled` when closed, `CancellationError`.
  public func untilChange(after seen: Int) async throws {
    try await arrivals.wait { changes > seen || !isOpen }
    if !isOpen { throw UVError.cancelled }
  }

  /// Ends `untilChange` for all, as if something had changed.
  public func wake() {
    changes += 1
    arrivals.wakeAll()
  }

  /// Watches no more. Idempotent.
  public func close() { startClosing() }

  override func willClose() { arrivals.wakeAll() }
}
