import CUV
import CZMQ
import Bytes

/// A socket of libzmq on the loop: whole messages, each in several parts.
///
/// Receiving is pull: what nobody asks for stays where it is. How much that may be is the high-water mark, a number of
/// messages, at which libzmq's thread stops reading.
///
/// The descriptor that libzmq gives to wait on tells that something changed, not that there is something to receive
/// (zmq_getsockopt(3), ZMQ_FD), and tells it once: whoever asks for ZMQ_EVENTS, sends, or receives takes the news with
/// it. So what is known is kept in `hasArrivals`, until a receive has found nothing; from then on the descriptor
/// becomes readable with the next message. To ask costs four system calls, which is why nobody asks twice.
@LoopActor
final class ZeroMQSocket: Handle {
  /// How many parts a message may have, as with our own ZMTP.
  private static let maximumPartCount = 1 << 16

  private let socket: UnsafeMutableRawPointer
  /// What parts are received by.
  private let incoming: UnsafeMutablePointer<zmq_msg_t>
  /// Who waits for a message; a selector puts its own in place.
  var arrivals = WaitQueue()
  private let departures = WaitQueue()
  private let maximumMessageLength: Int
  private weak var context: ZeroMQContext?
  /// The socket whose connection this one hears of, and whether this one is heard of itself.
  private weak var watched: ZeroMQSocket?
  private var isWatched = false
  /// There may be a message: the descriptor has said so, and no receive has found otherwise since.
  private var hasArrivals = false

  /// A socket that is connected to nothing yet. Whoever makes one closes it, or its context.
  init(_ kind: Kind, in context: ZeroMQContext, _ options: Options = Options()) throws(UVError) {
    let socket = try context.makeSocket(kind)
    self.socket = socket
    self.context = context
    maximumMessageLength = options.maximumMessageLength
    incoming = .allocate(capacity: 1)
    zmq_msg_init(incoming)
    do {
      try Self.apply(options, to: socket)
      let descriptor = try Self.number(ZMQ_FD, of: socket)
      try super.init(uv_poll_t.self) { uv_poll_init(EventLoop.shared.raw, $0, descriptor) }
    } catch {
      zmq_close(socket)
      incoming.deallocate()
      throw error
    }
    uv_poll_start(pointer(as: uv_poll_t.self), CInt(UV_READABLE.rawValue)) { handle, _, _ in
      guard let owner = Handle.owner(handle?.pointee.data, as: ZeroMQSocket.self) else { return }
      LoopActor.enter { owner.becameReadable() }
    }
    context.add(self)
  }

  /// Connects; libzmq tries again for ever. Returns at once.
  func connect(to endpoint: String) throws(UVError) {
    try ensureOpen()
    if zmq_connect(socket, endpoint) != 0 { throw UVError.ofZeroMQ }
  }

  /// Lets others connect.
  func bind(to endpoint: String) throws(UVError) {
    try ensureOpen()
    if zmq_bind(socket, endpoint) != 0 { throw UVError.ofZeroMQ }
  }

  /// Receives what begins with `prefix`; everything where it is empty.
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

  /// Takes the next message; nil where there is none now.
  ///
  /// - Throws: `UVError.messageTooLong`; what is left of the message comes with the next call.
  func receive() throws(UVError) -> [Bytes]? {
    try ensureOpen()
    defer { if !departures.isEmpty { lookAtEvents() } }
    var message = ZeroMQIncomingMessage()
    // libzmq delivers messages whole: when the first part is there, all are.
    while let isFollowed = try message.receive(from: socket, by: incoming) {
      guard message.length <= maximumMessageLength, message.count < Self.maximumPartCount else {
        throw .messageTooLong
      }
      if !isFollowed { return message.take() }
    }
    hasArrivals = false
    return nil
  }

  /// True when `receive` may bring a message, or throw.
  var isReadable: Bool { !isOpen || hasArrivals }

  // MARK: Sending

  /// Sends a message of one part or more. It is queued when this returns, and what is large is sent from where it
  /// lies. Waits only while there is no peer to send to, or as many as the high-water mark allows wait already.
  ///
  /// - Throws: `UVError.cancelled` when the socket is closed, `CancellationError`.
  func send(_ parts: [Bytes]) async throws {
    while try !trySend(parts) { try await departures.wait { isWritable } }
  }

  private func trySend(_ parts: [Bytes]) throws(UVError) -> Bool {
    try ensureOpen()
    defer { lookAtEvents() }
    for (index, part) in parts.enumerated() {
      // A message that does not go whole does not go at all: libzmq takes back the parts before.
      guard try ZeroMQOutgoingPart.send(part, isFollowed: index < parts.count - 1, to: socket) else {
        return false
      }
    }
    return true
  }

  // MARK: Its end

  /// Closes the socket; what was sent and has not left is dropped, and whoever waits is told. Idempotent.
  func close() { startClosing() }

  override func willClose() {
    // Before the end of either: libzmq's thread waits for ever to tell of an event that nobody can hear of any more.
    stopMonitor()
    watched?.stopMonitor()
    zmq_close(socket)
    zmq_msg_close(incoming)
    context?.remove(self)
    arrivals.wakeAll()
    departures.wakeAll()
  }

  override func didClose() { incoming.deallocate() }

  /// Tells `listener` of `events` at `endpoint`, which is new.
  func startMonitor(_ events: CInt, at endpoint: String, for listener: ZeroMQSocket) throws(UVError) {
    try ensureOpen()
    guard zmq_socket_monitor(socket, endpoint, events) == 0 else { throw UVError.ofZeroMQ }
    isWatched = true
    listener.watched = self
    try listener.connect(to: endpoint)
  }

  private func stopMonitor() {
    if isWatched { zmq_socket_monitor(socket, nil, 0) }
    isWatched = false
  }

  private func ensureOpen() throws(UVError) {
    if !isOpen { throw .cancelled }
  }

  private var isWritable: Bool { !isOpen || events & CInt(ZMQ_POLLOUT) != 0 }

  /// What can be done now. To ask is also what makes the descriptor quiet again.
  private var events: CInt { (try? Self.number(ZMQ_EVENTS, of: socket)) ?? 0 }

  private func becameReadable() {
    // Whoever waits for messages finds out what there is by receiving. With nobody there the descriptor has to be made
    // quiet.
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
