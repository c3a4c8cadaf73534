import CZMQ
import Bytes

/// Receives the parts of a message.
///
/// Short parts are copied into common memory: libzmq has them in `zmq_msg_t` itself, or in a block of 8 KiB that several
/// messages share. Long parts stay in libzmq's memory.
struct ZeroMQIncomingMessage: ~Copyable {
  /// The least length of a part that is not copied, in bytes.
  private static let sharedLength = 16 << 10
  /// The memory that most messages need for their short parts, in bytes.
  private static let usualLength = 1024

  private enum Piece {
    case copied(Range<Int>)
    case shared(Bytes)
  }

  private var pieces: [Piece] = []
  private var copies = ByteBuffer()

  /// The number of bytes of all parts.
  private(set) var length = 0
  /// The number of parts.
  var count: Int { pieces.count }

  init() {}

  /// Receives the next part from a socket.
  ///
  /// - Parameter message: an initialised message for the call's own use.
  /// - Returns: whether another part follows; nil if there is no part now.
  mutating func receive(
    from socket: UnsafeMutableRawPointer, by message: UnsafeMutablePointer<zmq_msg_t>
  ) throws(UVError) -> Bool? {
    guard try unlessBlocked({ zmq.msg_recv(message, socket, ZMQ_DONTWAIT) }) != nil else { return nil }
    let isFollowed = zmq.msg_more(message) != 0
    let size = zmq.msg_size(message)
    length += size
    if size >= Self.sharedLength, let data = zmq.msg_data(message) {
      let part = ZeroMQPart(moving: message)
      pieces.append(.shared(Bytes(sharing: ByteStorage(adopting: data, count: size, of: part))))
    } else {
      let start = copies.count
      if copies.isEmpty { copies.reserve(max(size, Self.usualLength)) }
      copies.append(contentsOf: UnsafeRawBufferPointer(start: zmq.msg_data(message), count: size))
      pieces.append(.copied(start..<start + size))
    }
    return isFollowed
  }

  /// All parts.
  consuming func take() -> [Bytes] {
    let copies = copies.takeAll()
    return pieces.map { piece in
      switch piece {
      case .copied(let range): copies[range]
      case .shared(let bytes): bytes
      }
    }
  }
}

/// Owns the libzmq message of a long part.
///
/// `@unchecked Sendable`: nothing writes to a received message, and libzmq counts its references atomically.
private final class ZeroMQPart: @unchecked Sendable {
  private let message: UnsafeMutablePointer<zmq_msg_t>

  /// Takes over the contents of `other`. Data that is not in the structure itself is not moved.
  init(moving other: UnsafeMutablePointer<zmq_msg_t>) {
    message = .allocate(capacity: 1)
    _ = zmq.msg_init(message)
    _ = zmq.msg_move(message, other)
  }

  deinit {
    _ = zmq.msg_close(message)
    message.deallocate()
  }
}

/// Sends parts of messages.
enum ZeroMQOutgoingPart {
  /// The least length of a part that libzmq sends from our memory, in bytes. For shorter parts a copy costs less than
  /// releasing our memory from libzmq's thread.
  private static let sharedLength = 16 << 10

  /// Queues one part; false if the call would block.
  static func send(
    _ bytes: Bytes, isFollowed: Bool, to socket: UnsafeMutableRawPointer
  ) throws(UVError) -> Bool {
    var message = zmq_msg_t()
    guard initialise(&message, bytes) == 0 else { throw UVError.ofZeroMQ }
    do {
      let flags = ZMQ_DONTWAIT | (isFollowed ? ZMQ_SNDMORE : 0)
      if try unlessBlocked({ zmq.msg_send(&message, socket, flags) }) != nil { return true }
    } catch {
      _ = zmq.msg_close(&message)
      throw error
    }
    _ = zmq.msg_close(&message)
    return false
  }

  private static func initialise(_ message: inout zmq_msg_t, _ bytes: Bytes) -> CInt {
    guard bytes.count >= sharedLength else { return copy(bytes, into: &message) }
    let holder = Unmanaged.passRetained(Holder(bytes))
    let data = bytes.withUnsafeBytes { UnsafeMutableRawPointer(mutating: $0.baseAddress) }
    let status = zmq.msg_init_data(
      &message, data, bytes.count,
      { _, holder in
        if let holder { Unmanaged<Holder>.fromOpaque(holder).release() }
      }, holder.toOpaque())
    if status != 0 { holder.release() }
    return status
  }

  private static func copy(_ bytes: Bytes, into message: inout zmq_msg_t) -> CInt {
    guard zmq.msg_init_size(&message, bytes.count) == 0 else { return -1 }
    if let target = zmq.msg_data(&message) {
      bytes.withUnsafeBytes {
        UnsafeMutableRawBufferPointer(start: target, count: bytes.count).copyMemory(from: $0)
      }
    }
    return 0
  }

  /// Keeps bytes alive until libzmq has sent them.
  private final class Holder: Sendable {
    private let bytes: Bytes
    init(_ bytes: Bytes) { self.bytes = bytes }
  }
}
