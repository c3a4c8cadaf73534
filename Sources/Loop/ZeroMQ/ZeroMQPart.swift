import CZMQ
import Bytes

/// The parts of a message on their way in.
///
/// What is short is copied, all into the same memory: libzmq has it in the message structure itself, or in a block of
/// 8 KiB that several messages share. What is long stays where libzmq received it.
struct ZeroMQIncomingMessage: ~Copyable {
  /// From this length on a part is not copied.
  private static let sharedLength = 16 << 10
  /// What most messages need for their short parts.
  private static let usualLength = 1024

  private enum Piece {
    case copied(Range<Int>)
    case shared(Bytes)
  }

  private var pieces: [Piece] = []
  private var copies = ByteBuffer()

  /// How many bytes all parts have.
  private(set) var length = 0
  /// How many parts there are.
  var count: Int { pieces.count }

  init() {}

  /// Takes the next part from a socket, by means of `message`, which is initialised; nil where there is none now, else
  /// whether another one follows.
  mutating func receive(
    from socket: UnsafeMutableRawPointer, by message: UnsafeMutablePointer<zmq_msg_t>
  ) throws(UVError) -> Bool? {
    guard try unlessBlocked({ zmq_msg_recv(message, socket, ZMQ_DONTWAIT) }) != nil else { return nil }
    let isFollowed = zmq_msg_more(message) != 0
    let size = zmq_msg_size(message)
    length += size
    if size >= Self.sharedLength, let data = zmq_msg_data(message) {
      let part = ZeroMQPart(moving: message)
      pieces.append(.shared(Bytes(sharing: ByteStorage(adopting: data, count: size, of: part))))
    } else {
      let start = copies.count
      if copies.isEmpty { copies.reserve(max(size, Self.usualLength)) }
      copies.append(contentsOf: UnsafeRawBufferPointer(start: zmq_msg_data(message), count: size))
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

/// A long part in the memory that libzmq received it into, which goes when this goes.
///
/// `@unchecked Sendable`: nobody writes to a message that was received, and libzmq counts its references atomically.
private final class ZeroMQPart: @unchecked Sendable {
  private let message: UnsafeMutablePointer<zmq_msg_t>

  /// Takes over what `other` holds. The data of a message that is too long to lie in the structure stays where it is.
  init(moving other: UnsafeMutablePointer<zmq_msg_t>) {
    message = .allocate(capacity: 1)
    zmq_msg_init(message)
    zmq_msg_move(message, other)
  }

  deinit {
    zmq_msg_close(message)
    message.deallocate()
  }
}

/// Parts on their way out.
enum ZeroMQOutgoingPart {
  /// From this length on libzmq sends from our memory and holds it until then; below, a copy costs less than what it
  /// takes to give memory back from another thread.
  private static let sharedLength = 16 << 10

  /// Queues one part; false where the socket takes none now.
  static func send(
    _ bytes: Bytes, isFollowed: Bool, to socket: UnsafeMutableRawPointer
  ) throws(UVError) -> Bool {
    var message = zmq_msg_t()
    guard initialise(&message, bytes) == 0 else { throw UVError.ofZeroMQ }
    do {
      let flags = ZMQ_DONTWAIT | (isFollowed ? ZMQ_SNDMORE : 0)
      if try unlessBlocked({ zmq_msg_send(&message, socket, flags) }) != nil { return true }
    } catch {
      zmq_msg_close(&message)
      throw error
    }
    zmq_msg_close(&message)
    return false
  }

  private static func initialise(_ message: inout zmq_msg_t, _ bytes: Bytes) -> CInt {
    guard bytes.count >= sharedLength else { return copy(bytes, into: &message) }
    let holder = Unmanaged.passRetained(Holder(bytes))
    let data = bytes.withUnsafeBytes { UnsafeMutableRawPointer(mutating: $0.baseAddress) }
    let status = zmq_msg_init_data(
      &message, data, bytes.count,
      { _, holder in
        if let holder { Unmanaged<Holder>.fromOpaque(holder).release() }
      }, holder.toOpaque())
    if status != 0 { holder.release() }
    return status
  }

  private static func copy(_ bytes: Bytes, into message: inout zmq_msg_t) -> CInt {
    guard zmq_msg_init_size(&message, bytes.count) == 0 else { return -1 }
    if let target = zmq_msg_data(&message) {
      bytes.withUnsafeBytes {
        UnsafeMutableRawBufferPointer(start: target, count: bytes.count).copyMemory(from: $0)
      }
    }
    return 0
  }

  /// Keeps bytes alive while libzmq sends from them.
  private final class Holder: Sendable {
    private let bytes: Bytes
    init(_ bytes: Bytes) { self.bytes = bytes }
  }
}
