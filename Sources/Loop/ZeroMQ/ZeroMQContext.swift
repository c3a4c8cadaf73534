import CZMQ

/// ZeroMQ's threads, and all sockets that they serve. One is enough for a program.
@LoopActor
public final class ZeroMQContext {
  /// Sockets at a time, those of monitors included: five for each of several hundred kernels. libzmq keeps a table of
  /// this length, eight bytes each, and takes 1023 where nothing is said.
  private static let maximumSockets: CInt = 4096

  private nonisolated(unsafe) let raw: UnsafeMutableRawPointer
  private var sockets: [ObjectIdentifier: ZeroMQSocket] = [:]
  private var isOpen = true
  private var monitors = 0

  /// A context without threads; they start with the first socket.
  ///
  /// - Throws: `UVError.tooManyOpenFiles`, or what else the system lacks.
  public init() throws(UVError) {
    guard let raw = zmq_ctx_new() else { throw UVError.ofZeroMQ }
    self.raw = raw
    zmq_ctx_set(raw, ZMQ_MAX_SOCKETS, Self.maximumSockets)
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
}
