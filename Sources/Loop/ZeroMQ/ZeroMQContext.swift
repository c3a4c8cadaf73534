import CZMQ

/// libzmq's threads, and all sockets that they serve. One is enough for a program.
///
/// libzmq ends the process where it cannot go on (`zmq_assert`). What of that somebody else can bring about is kept
/// from it here: its threads start with the context, before any kernel can use up the system's threads or our
/// descriptors, and sockets are made only while enough descriptors are free. libzmq 4.3.4 was read for that: a mailbox
/// without a descriptor fails its socket, a connection without one is tried again, but the two threads stop the
/// process where `epoll_create1` or `pthread_create` fails.
@LoopActor
public final class ZeroMQContext {
  /// Sockets at a time, those of monitors included: nine for each kernel. libzmq keeps a table of this length, twelve
  /// bytes each, and takes 1023 where nothing is said.
  private static let maximumSockets: CInt = 4096
  /// Those that serve sockets, and the one that closes them.
  private static let threadCount: CInt = 2
  /// What they take at their start: two for polling, two to be woken by; and the first socket.
  private static let startDescriptors: CInt = 8
  /// What must be free before a socket is made: a watched one takes four (its own, its connection's and two of the
  /// monitor's), and the rest of the server must be able to go on.
  private static let spareDescriptors: CInt = 16

  private nonisolated(unsafe) let raw: UnsafeMutableRawPointer
  private var sockets: [ObjectIdentifier: ZeroMQSocket] = [:]
  private var isOpen = true
  private var monitors = 0

  /// Starts the threads.
  ///
  /// - Throws: `UVError.tooManyOpenFiles`, or what else the system lacks.
  public init() throws(UVError) {
    try Self.check(czmq_missing_descriptors(Self.startDescriptors))
    try Self.check(czmq_missing_threads(Self.threadCount))
    guard let raw = zmq_ctx_new() else { throw UVError.ofZeroMQ }
    self.raw = raw
    zmq_ctx_set(raw, ZMQ_MAX_SOCKETS, Self.maximumSockets)
    // The first socket starts them.
    guard let first = zmq_socket(raw, ZMQ_PAIR) else {
      let error = UVError.ofZeroMQ
      isOpen = false
      zmq_ctx_term(raw)
      throw error
    }
    zmq_close(first)
  }

  deinit {
    if isOpen { Handle.report("a ZeroMQ context was not closed") }
  }

  /// Closes all sockets and ends the threads. What was sent and has not left is dropped. Idempotent.
  public func close() async {
    guard isOpen else { return }
    isOpen = false
    for socket in Array(sockets.values) { socket.startClosing() }
    // It waits for the threads to give up each socket, which may last some milliseconds: not on the loop.
    nonisolated(unsafe) let raw = raw
    _ = try? await Pending { while zmq_ctx_term(raw) != 0 {} }.valueRegardless()
  }

  func makeSocket(_ kind: ZeroMQSocket.Kind) throws(UVError) -> UnsafeMutableRawPointer {
    guard isOpen else { throw .cancelled }
    try Self.check(czmq_missing_descriptors(Self.spareDescriptors))
    guard let socket = zmq_socket(raw, kind.rawValue) else { throw UVError.ofZeroMQ }
    return socket
  }

  func add(_ socket: ZeroMQSocket) { sockets[ObjectIdentifier(socket)] = socket }

  func remove(_ socket: ZeroMQSocket) { sockets[ObjectIdentifier(socket)] = nil }

  /// A name within the process that no other monitor has.
  func nextMonitorEndpoint() -> String {
    monitors += 1
    return "inproc://monitor-\(monitors)"
  }

  private static func check(_ status: CInt) throws(UVError) {
    if status != 0 { throw UVError(systemError: status) }
  }
}
