import CZMQ

/// A libzmq context: its threads and their sockets. A program needs one.
///
/// libzmq aborts the process on errors that it cannot handle (`zmq_assert`). This type avoids those that a kernel could
/// cause. The threads start with the context, before any kernel can use up the system's threads or our descriptors, and a
/// socket is made only while enough descriptors are free. From the source of libzmq 4.3.4: a socket whose mailbox gets no
/// descriptor fails, a connection without one is tried again, but the two threads abort if `epoll_create1` or
/// `pthread_create` fails.
@LoopActor
public final class ZeroMQContext {
  /// The limit of sockets (ZMQ_MAX_SOCKETS), with those of monitors: nine for each kernel. libzmq keeps a table of this
  /// length, with 12 bytes for each socket. Its default is 1023.
  private static let maximumSockets: CInt = 4096
  /// An I/O thread and the reaper, which closes sockets.
  private static let threadCount: CInt = 2
  /// Descriptors at the start: each thread has one for epoll and one to be woken by; the rest is for the first socket.
  private static let startDescriptors: CInt = 8
  /// Descriptors that must be free before a socket is made. One with a monitor takes four: its own, its connection's and two
  /// of the monitor. The others are left for the rest of the server.
  private static let spareDescriptors: CInt = 16

  private nonisolated(unsafe) let raw: UnsafeMutableRawPointer
  private var sockets: [ObjectIdentifier: ZeroMQSocket] = [:]
  private var isOpen = true
  private var monitors = 0

  /// Starts the threads.
  ///
  /// - Throws: `SystemRequirementError` without libzmq; `UVError.tooManyOpenFiles`, or another error of the system.
  public init() throws {
    try ZeroMQLibrary.check()
    try Self.check(czmq_missing_descriptors(Self.startDescriptors))
    try Self.check(czmq_missing_threads(Self.threadCount))
    guard let raw = zmq.ctx_new() else { throw UVError.ofZeroMQ }
    self.raw = raw
    _ = zmq.ctx_set(raw, ZMQ_MAX_SOCKETS, Self.maximumSockets)
    // The first socket starts the threads.
    guard let first = zmq.socket(raw, ZMQ_PAIR) else {
      let error = UVError.ofZeroMQ
      isOpen = false
      _ = zmq.ctx_term(raw)
      throw error
    }
    _ = zmq.close(first)
  }

  deinit {
    if isOpen { Handle.report("a ZeroMQ context was not closed") }
  }

  /// Closes all sockets, drops queued messages and ends the threads. Idempotent.
  public func close() async {
    guard isOpen else { return }
    isOpen = false
    for socket in Array(sockets.values) { socket.startClosing() }
    // It blocks until the reaper has closed each socket, which may take some milliseconds.
    nonisolated(unsafe) let raw = raw
    _ = try? await Pending { while zmq.ctx_term(raw) != 0 {} }.valueRegardless()
  }

  func makeSocket(_ kind: ZeroMQSocket.Kind) throws(UVError) -> UnsafeMutableRawPointer {
    guard isOpen else { throw .cancelled }
    try Self.check(czmq_missing_descriptors(Self.spareDescriptors))
    guard let socket = zmq.socket(raw, kind.rawValue) else { throw UVError.ofZeroMQ }
    return socket
  }

  func add(_ socket: ZeroMQSocket) { sockets[ObjectIdentifier(socket)] = socket }

  func remove(_ socket: ZeroMQSocket) { sockets[ObjectIdentifier(socket)] = nil }

  /// An inproc address that no other monitor has.
  func nextMonitorEndpoint() -> String {
    monitors += 1
    return "inproc://monitor-\(monitors)"
  }

  private static func check(_ status: CInt) throws(UVError) {
    if status != 0 { throw UVError(systemError: status) }
  }
}
