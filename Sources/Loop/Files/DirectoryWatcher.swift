import CUV

/// Reports when names are added to a directory or removed (inotify(7)).
@LoopActor
public final class DirectoryWatcher: Handle {
  private let arrivals = WaitQueue()

  /// The number of changes and calls of `wake`.
  public private(set) var changes = 0

  /// Starts watching. The owner closes it.
  /// - Throws: `SystemRequirementError` if a limit of inotify(7) is reached.
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

  /// Ends all pending `untilChange`, as a change does.
  public func wake() {
    changes += 1
    arrivals.wakeAll()
  }

  /// Stops watching. Idempotent.
  public func close() { startClosing() }

  override func willClose() { arrivals.wakeAll() }
}
