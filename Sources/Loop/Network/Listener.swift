import CUV
import Glibc

/// A listening socket. While no task accepts, peers wait in the system's backlog.
///
/// It polls its descriptor and calls accept(2) itself: without free descriptors, libuv's listener accepts and drops all
/// waiting connections, and may spin.
@LoopActor
public final class Listener: Handle {
  let descriptor: CInt
  private let kind: SocketKind
  private let arrivals = WaitQueue()
  private var isPolling = false
  /// A connection may have arrived since the last accept(2).
  private var hasArrival = false
  private var acceptedInARow = 0

  /// The address that it listens at, with the port that the system chose for zero; nil for a path.
  public let localAddress: SocketAddress?

  /// How many connections are accepted in a row before other tasks run.
  private static let fairShare = 32
  /// The pause after accept(2) failed for lack of descriptors: long enough not to keep a core busy, short enough that a
  /// client hardly notices it.
  private static let restWithoutDescriptors = Duration.milliseconds(50)

  /// Takes over a listening socket that does not block.
  package init(adopting descriptor: CInt) throws(UVError) {
    self.descriptor = descriptor
    let localAddress = NativeAddress { address, length in
      var size = socklen_t(length.pointee)
      defer { length.pointee = CInt(size) }
      return getsockname(descriptor, address, &size)
    }.flatMap(SocketAddress.init)
    self.localAddress = localAddress
    kind = localAddress == nil ? .local : .tcp
    try super.init(uv_poll_t.self) { uv_poll_init(EventLoop.shared.raw, $0, descriptor) }
  }

  /// Waits for the next connection. Several tasks may accept.
  ///
  /// Connections that their peer has closed by then are skipped. Without a free descriptor it waits until there is one.
  ///
  /// - Throws: `UVError.cancelled` when the listener is closed; `CancellationError`.
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
      default: break  // An error of that one connection (accept(2)).
      }
    }
    throw UVError.cancelled
  }

  /// Stops listening. The system resets the connections in the backlog. Idempotent.
  public func close() async { await closeAndWait() }

  override func willClose() {
    Glibc.close(descriptor)
    arrivals.wakeAll()
  }

  /// Makes a stream of a descriptor. Lets other tasks run after `fairShare` connections in a row.
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
    // No task accepts: otherwise each poll would return for the same connection.
    isPolling = false
    uv_poll_stop(pointer(as: uv_poll_t.self))
  }
}
