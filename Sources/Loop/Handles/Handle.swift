import CUV
import Glibc
import Synchronization

/// Owns the memory of a libuv handle and closes it. No other code calls `uv_close`.
///
/// libuv keeps an unowned pointer to this object, so the owner must close the handle. An object that is released without
/// that closes it and reports the owner's bug to `onForgottenHandle`.
@LoopActor
public class Handle {
  enum State { case open, closing, closed }

  private(set) var state = State.open
  private nonisolated(unsafe) let memory: UnsafeMutableRawPointer
  private let closed = WaitQueue()

  /// Allocates a handle and initialises it by `initialise`, a call of `uv_*_init`.
  init<Raw>(_ type: Raw.Type, initialise: (UnsafeMutablePointer<Raw>) -> CInt) throws(UVError) {
    let pointer = UnsafeMutablePointer<Raw>.allocate(capacity: 1)
    memory = UnsafeMutableRawPointer(pointer)
    let status = initialise(pointer)
    if status < 0 {
      // `deinit` must not close memory that did not become a handle.
      state = .closed
      pointer.deallocate()
      throw UVError(rawValue: status)
    }
    handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
  }

  /// For handles whose `uv_*_init` takes no resources and so cannot fail.
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

  /// The handle by the type that it was initialised as.
  func pointer<Raw>(as type: Raw.Type) -> UnsafeMutablePointer<Raw> {
    assert(state != .closed, "the handle's memory is gone")
    return memory.assumingMemoryBound(to: Raw.self)
  }

  private var handle: UnsafeMutablePointer<uv_handle_t> { memory.assumingMemoryBound(to: uv_handle_t.self) }

  /// True until closing begins.
  var isOpen: Bool { state == .open }

  /// The object of a handle in a callback; nil if it was released without being closed.
  nonisolated static func owner<Owner: Handle>(
    _ data: UnsafeMutableRawPointer?, as type: Owner.Type
  ) -> Owner? {
    data.map { Unmanaged<Owner>.fromOpaque($0).takeUnretainedValue() }
  }

  // MARK: Closing

  /// Begins to close. The object lives until the close callback, and its owner need not wait. Idempotent.
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

  /// Closes and waits for the close callback. Not cancellable: it takes one turn of the loop.
  func closeAndWait() async {
    startClosing()
    await closed.waitRegardless { state == .closed }
  }

  /// For subclasses: closing has begun. They wake the tasks that wait for the handle.
  func willClose() {}

  /// For subclasses: libuv no longer uses the handle or any of its requests.
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

  /// Sets the function that gets a line for each handle that was not closed, on any thread. Without one the lines go to
  /// standard error.
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

  /// Closes a handle whose object was released.
  private nonisolated static func abandon(_ memory: UnsafeMutableRawPointer) {
    nonisolated(unsafe) let handle = memory.assumingMemoryBound(to: uv_handle_t.self)
    // `owner` returns nil then, so that no callback uses the released object.
    handle.pointee.data = nil
    report("a \(String(cString: uv_handle_type_name(handle.pointee.type))) handle was not closed")
    LoopActor.perform { uv_close(handle) { UnsafeMutableRawPointer($0)?.deallocate() } }
  }

  /// The types of all handles of a loop that are not closed.
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
  /// The number of open handles. Tests compare it before and after.
  @LoopActor package var activeHandleCount: Int {
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
