import CUV
import Glibc
import Synchronization

/// The memory of one libuv handle and its end. The only place that calls `uv_close`.
///
/// libuv keeps a pointer to this object without owning it, so a handle that nobody needs any more must be closed. One
/// that is forgotten is closed when the object goes, and told to `onForgottenHandle`: that is a bug of its owner.
@LoopActor
public class Handle {
  enum State { case open, closing, closed }

  private(set) var state = State.open
  private nonisolated(unsafe) let memory: UnsafeMutableRawPointer
  private let closed = WaitQueue()

  /// Allocates a handle and lets `initialise` make it one by a `uv_*_init`.
  init<Raw>(_ type: Raw.Type, initialise: (UnsafeMutablePointer<Raw>) -> CInt) throws(UVError) {
    let pointer = UnsafeMutablePointer<Raw>.allocate(capacity: 1)
    memory = UnsafeMutableRawPointer(pointer)
    let status = initialise(pointer)
    if status < 0 {
      // What never became a handle must not be closed as one by `deinit`.
      state = .closed
      pointer.deallocate()
      throw UVError(rawValue: status)
    }
    handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
  }

  /// For the handles whose `uv_*_init` takes no resources and so cannot fail.
  init<Raw>(infallible type: Raw.Type, initialise: (UnsafeMutablePointer<Raw>) -> CInt) {
    let pointer = UnsafeMutablePointer<Raw>.allocate(capacity: 1)
    memory = UnsafeMutableRawPointer(pointer)
    let status = initialise(pointer)
    precondition(status == 0, "libuv refused a handle: \(UVError(rawValue: status))")
    handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
  }

  deinit {
    if state == .closed { return }
    Handle.abandon(memory)
  }

  /// The handle as the type that it was made as.
  func pointer<Raw>(as type: Raw.Type) -> UnsafeMutablePointer<Raw> {
    assert(state != .closed, "the handle's memory is gone")
    return memory.assumingMemoryBound(to: Raw.self)
  }

  private var handle: UnsafeMutablePointer<uv_handle_t> { memory.assumingMemoryBound(to: uv_handle_t.self) }

  /// True until somebody began to close it.
  var isOpen: Bool { state == .open }

  /// The object behind a handle that libuv called back with; nil where it was forgotten.
  nonisolated static func owner<Owner: Handle>(
    _ data: UnsafeMutableRawPointer?, as type: Owner.Type
  ) -> Owner? {
    data.map { Unmanaged<Owner>.fromOpaque($0).takeUnretainedValue() }
  }

  // MARK: Closing

  /// Begins to close; the object lives until that has happened, its owner need not wait. Idempotent.
  func startClosing() {
    guard state == .open else { return }
    state = .closing
    _ = Unmanaged.passRetained(self)
    uv_close(handle) { handle in
      guard let data = handle?.pointee.data else { return }
      let object = Unmanaged<Handle>.fromOpaque(data).takeRetainedValue()
      LoopActor.enter { object.finishClosing() }
    }
    willClose()
  }

  /// Closes and waits until libuv has let go. Not cancellable: it takes one turn of the loop.
  func closeAndWait() async {
    startClosing()
    await closed.waitRegardless { state == .closed }
  }

  /// For subclasses: closing has begun; whoever waits for the handle must hear of it.
  func willClose() {}

  /// For subclasses: libuv has let go of the handle and of all its requests.
  func didClose() {}

  private func finishClosing() {
    state = .closed
    didClose()
    memory.deallocate()
    closed.wakeAll()
  }
}

extension Handle {
  private nonisolated static let forgottenHandleHook = Mutex<(@Sendable (String) -> Void)?>(nil)

  /// Sets who is told about handles that were not closed, which is a bug: on any thread, in one line. Without it they
  /// are told to standard error.
  public nonisolated static func onForgottenHandle(_ hook: (@Sendable (String) -> Void)?) {
    forgottenHandleHook.withLock { $0 = hook }
  }

  nonisolated static func report(_ message: String) {
    if let hook = forgottenHandleHook.withLock({ $0 }) {
      hook(message)
    } else {
      let line = message + "\n"
      _ = write(STDERR_FILENO, line, line.utf8.count)
    }
  }

  /// Closes a handle whose object is gone.
  private nonisolated static func abandon(_ memory: UnsafeMutableRawPointer) {
    nonisolated(unsafe) let handle = memory.assumingMemoryBound(to: uv_handle_t.self)
    // Callbacks look at this first, so that none meets the dead object.
    handle.pointee.data = nil
    report("a \(String(cString: uv_handle_type_name(handle.pointee.type))) handle was not closed")
    LoopActor.perform { uv_close(handle) { UnsafeMutableRawPointer($0)?.deallocate() } }
  }

  /// The handles of a loop that are not closed, by type, for messages.
  nonisolated static func describeAll(of loop: UnsafeMutablePointer<uv_loop_t>) -> String {
    var names: [String] = []
    withUnsafeMutablePointer(to: &names) { names in
      uv_walk(
        loop,
        { handle, names in
          guard let handle, let names else { return }
          let name = String(cString: uv_handle_type_name(handle.pointee.type))
          names.assumingMemoryBound(to: [String].self).pointee.append(name)
        }, names)
    }
    return names.sorted().joined(separator: ", ")
  }
}

extension EventLoop {
  /// How many handles there are that nobody has begun to close. Tests compare it with what it was.
  @LoopActor public var activeHandleCount: Int {
    var count = 0
    withUnsafeMutablePointer(to: &count) { count in
      uv_walk(
        raw,
        { handle, count in
          guard uv_is_closing(handle) == 0 else { return }
          count?.assumingMemoryBound(to: Int.self).pointee += 1
        }, count)
    }
    return count
  }
}
