import CUV
import CZMQ
import Bytes

/// A libzmq socket on the loop. It sends and receives whole messages of several parts.
///
/// libzmq reads ahead up to the high-water mark, a number of messages; the rest waits at the peer.
///
/// The descriptor ZMQ_FD signals that something changed, not that there is a message, and is edge-triggered
/// (zmq_getsockopt(3)): reading ZMQ_EVENTS, sending and receiving clear it. So `hasArrivals` stays true until a receive has
/// found nothing; then the descriptor becomes readable with the next message. Reading ZMQ_EVENTS costs four system calls,
/// so it is not read without need.
@LoopActor
final class ZeroMQSocket: Handle {
  /// The limit of parts of a message, as in our own ZMTP.
  private static let maximumPartCount = 1 << 16

  private let socket: UnsafeMutableRawPointer
  /// The message that parts are received with.
  private let incoming: UnsafeMutablePointer<zmq_msg_t>
  /// Tasks that wait for a message. A selector replaces it by its own.
  var arrivals = WaitQueue()
  private let departures = WaitQueue()
  private let maximumMessageLength: Int
  private weak var context: ZeroMQContext?
  /// The socket that this one gets monitor events of.
  private weak var watched: ZeroMQSocket?
  /// A monitor reports events of this socket.
  private var isWatched = false
  /// There may be a message: the descriptor was readable, and no receive has found nothing since.
  private var hasArrivals = false

  /// A socket without connections. The owner closes it, or its context.
  init(_ kind: Kind, in context: ZeroMQContext, _ options: Options = Options()) throws(UVError) {
    let socket = try context.makeSocket(kind)
    self.socket = socket
    self.context = context
    maximumMessageLength = options.maximumMessageLength
    incoming = .allocate(capacity: 1)
    _ = zmq.msg_init(incoming)
    do {
      try Self.apply(options, to: socket)
      let descriptor = try Self.number(ZMQ_FD, of: socket)
      try super.init(uv_poll_t.self) { uv_poll_init(EventLoop.shared.raw, $0, descriptor) }
    } catch {
      _ = zmq.close(socket)
      incoming.deallocate()
      throw error
    }
    uv_poll_start(pointer(as: uv_poll_t.self), CInt(UV_READABLE.rawValue)) { handle, _, _ in
      guard let owner = Handle.owner(handle?.pointee.data, as: ZeroMQSocket.self) else { return }
      LoopActor.enter { owner.becameReadable() }
    }
    context.add(self)
  }

  /// Begins to connect. libzmq retries indefinitely.
  func connect(to endpoint: String) throws(UVError) {
    try ensureOpen()
    if zmq.connect(socket, endpoint) != 0 { throw UVError.ofZeroMQ }
  }

  /// Subscribes to messages that begin with `prefix`; to all if it is empty.
  func subscribe(to prefix: Bytes = Bytes()) throws(UVError) {
    try ensureOpen()
    try Self.set(ZMQ_SUBSCRIBE, to: prefix, of: socket)
  }

  // MARK: Receiving

  /// Waits for the next message.
  ///
  /// - Throws: `UVError.cancelled` when the socket is closed, `UVError.messageTooLong`, `CancellationError`.
  func next() async throws -> [Bytes] {
    while true {
      if let message = try receive() { return message }
      try await arrivals.wait { isReadable }
    }
  }

  /// Takes the next message; nil if there is none now.
  ///
  /// - Throws: `UVError.messageTooLong`; the next call returns the rest of that message.
  func receive() throws(UVError) -> [Bytes]? {
    try ensureOpen()
    defer { if !departures.isEmpty { lookAtEvents() } }
    var message = ZeroMQIncomingMessage()
    // libzmq delivers messages atomically: with the first part all are there (zmq_msg_recv(3)).
    while let isFollowed = try message.receive(from: socket, by: incoming) {
      guard message.length <= maximumMessageLength, message.count < Self.maximumPartCount else {
        throw .messageTooLong
      }
      if !isFollowed { return message.take() }
    }
    hasArrivals = false
    return nil
  }

  /// True if `receive` may return a message, or throw.
  var isReadable: Bool { !isOpen || hasArrivals }

  // MARK: Sending

  /// Queues a message of one or more parts. Large parts are sent without a copy. Waits only while there is no peer, or
  /// while the queue is at the high-water mark.
  ///
  /// - Throws: `UVError.cancelled` when the socket is closed, `CancellationError`.
  func send(_ parts: [Bytes]) async throws {
    while try !trySend(parts) { try await departures.wait { isWritable } }
  }

  private func trySend(_ parts: [Bytes]) throws(UVError) -> Bool {
    try ensureOpen()
    defer { lookAtEvents() }
    for (index, part) in parts.enumerated() {
      // If a part cannot be queued, libzmq drops the parts before it: a message is sent whole or not at all.
      guard try ZeroMQOutgoingPart.send(part, isFollowed: index < parts.count - 1, to: socket) else {
        return false
      }
    }
    return true
  }

  // MARK: Closing

  /// Closes the socket and drops queued messages. Waiting tasks get `UVError.cancelled`. Idempotent.
  func close() { startClosing() }

  override func willClose() {
    // Before either is closed: libzmq's thread blocks for ever on an event that it cannot deliver.
    stopMonitor()
    watched?.stopMonitor()
    _ = zmq.close(socket)
    _ = zmq.msg_close(incoming)
    context?.remove(self)
    arrivals.wakeAll()
    departures.wakeAll()
  }

  override func didClose() { incoming.deallocate() }

  /// Sends `events` to `listener` by way of `endpoint`, an unused inproc address.
  func startMonitor(_ events: CInt, at endpoint: String, for listener: ZeroMQSocket) throws(UVError) {
    try ensureOpen()
    guard zmq.socket_monitor(socket, endpoint, events) == 0 else { throw UVError.ofZeroMQ }
    isWatched = true
    listener.watched = self
    try listener.connect(to: endpoint)
  }

  private func stopMonitor() {
    if isWatched { _ = zmq.socket_monitor(socket, nil, 0) }
    isWatched = false
  }

  private func ensureOpen() throws(UVError) {
    if !isOpen { throw .cancelled }
  }

  private var isWritable: Bool { !isOpen || events & CInt(ZMQ_POLLOUT) != 0 }

  /// ZMQ_EVENTS. Reading it also clears the descriptor.
  private var events: CInt { (try? Self.number(ZMQ_EVENTS, of: socket)) ?? 0 }

  private func becameReadable() {
    // A task that waits for messages finds out by receiving. Without one the descriptor must be cleared here.
    if arrivals.isEmpty || !departures.isEmpty {
      lookAtEvents()
    } else {
      hasArrivals = true
      arrivals.wakeAll()
    }
  }

  private func lookAtEvents() {
    guard isOpen else { return }
    let events = events
    if events & CInt(ZMQ_POLLIN) != 0 {
      hasArrivals = true
      arrivals.wakeAll()
    }
    if events & CInt(ZMQ_POLLOUT) != 0 { departures.wakeAll() }
  }
}
