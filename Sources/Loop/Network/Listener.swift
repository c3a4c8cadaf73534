import CUV
import Glibc

/// A socket that accepts connections, by pull: while nobody accepts, peers wait in the kernel's backlog.
///
/// It polls its descriptor and accepts by itself: libuv's own listener, when descriptors run out, accepts and drops
/// all who wait, and may spin.
@LoopActor
public final class Listener: Handle {
  let descriptor: CInt
  private let kind: SocketKind
  /// The file to remove at the end.
  private let path: String?
  private let arrivals = WaitQueue()
  private var isPolling = false
  /// Somebody may have come since `accept` last looked.
  private var hasArrival = false
  private var acceptedInARow = 0

  /// Where it listens, with the port that was given for zero; nil for a path.
  public let localAddress: SocketAddress?

  /// Connections that one task accepts before others get a turn.
  private static let fairShare = 32
  /// How long accepting rests when this process or the machine has no descriptor left. Long enough not to burn a
  /// core, short enough that a client hardly notices.
  private static let restWithoutDescriptors = Duration.milliseconds(50)

  init(adopting descriptor: CInt, kind: SocketKind, path: String?) throws(UVError) {
    self.descriptor = descriptor
    self.kind = kind
    self.path = path
    self.localAddress = NativeAddress { address, length in
      var size = socklen_t(length.pointee)
      defer { length.pointee = CInt(size) }
      return getsockname(descriptor, address, &size)
    }.flatMap(SocketAddress.init)
    try super.init(uv_poll_t.self) { uv_poll_init(EventLoop.shared.raw, $0, descriptor) }
  }

  /// Waits for the next connection. Several tasks may accept.
  ///
  /// Throws `UVError.cancelled` when the listener is closed, `CancellationError` when the task is cancelled. Peers that
  /// give up before they are accepted are passed over; when there is no descriptor for one it waits until there is.
  public func accept() async throws -> SocketStream {
    try Task.checkCancellation()
    while isOpen {
      hasArrival = false
      let accepted = cuv_accept(descriptor)
      if accepted >= 0 { return try await share(accepted) }
      switch errno {
      case EAGAIN: try await waitForArrival()
      case EMFILE, ENFILE, ENOBUFS, ENOMEM: try await EventLoop.sleep(for: Listener.restWithoutDescriptors)
      case EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP, EFAULT: throw UVError(systemError: errno)
      default: break  // The error of that one connection (accept(2)); the next may be well.
      }
    }
    throw UVError.cancelled
  }

  /// Stops listening; who waits in the backlog is refused. Idempotent.
  public func close() async { await closeAndWait() }

  override func willClose() {
    Glibc.close(descriptor)
    if let path { unlink(path) }
    arrivals.wakeAll()
  }

  /// Makes a stream of a descriptor, and lets other tasks run now and then while connections pour in.
  private func share(_ accepted: CInt) async throws -> SocketStream {
    let stream = try SocketStream(kind, adopting: accepted)
    acceptedInARow += 1
    if acceptedInARow >= Listener.fairShare {
      acceptedInARow = 0
      await Task.yield()
    }
    return stream
  }

  private func waitForArrival() async throws {
    acceptedInARow = 0
    if !isPolling {
      isPolling = true
      let status = uv_poll_start(pointer(as: uv_poll_t.self), CInt(UV_READABLE.rawValue)) { handle, _, _ in
        guard let owner = Handle.owner(handle?.pointee.data, as: Listener.self) else { return }
        LoopActor.enter { owner.didArrive() }
      }
      try checked(status)
    }
    try await arrivals.wait { hasArrival || !isOpen }
  }

  private func didArrive() {
    hasArrival = true
    guard arrivals.isEmpty else { return arrivals.wakeFirst() }
    // Nobody accepts: without this the poll would return for the same connection for ever.
    isPolling = false
    uv_poll_stop(pointer(as: uv_poll_t.self))
  }
}
