import CZMQ
import Memory

/// One part of a message that has arrived, in the memory that libzmq received it into, which goes when this goes.
///
/// `@unchecked Sendable`: nobody writes to a message that was received, and libzmq counts its references atomically.
final class ZeroMQPart: ByteStorage, @unchecked Sendable {
  private let message: UnsafeMutablePointer<zmq_msg_t>

  /// True when another part of the same message comes behind.
  let isFollowed: Bool

  private init(_ message: UnsafeMutablePointer<zmq_msg_t>, _ data: UnsafeMutableRawPointer) {
    self.message = message
    isFollowed = zmq_msg_more(message) != 0
    super.init(adopting: data, count: zmq_msg_size(message))
  }

  deinit {
    zmq_msg_close(message)
    message.deallocate()
  }

  /// Takes the next part from a socket; nil where there is none now.
  static func receive(from socket: UnsafeMutableRawPointer) throws(UVError) -> ZeroMQPart? {
    // On the heap, because a part of a few bytes lies in the structure itself.
    let message = UnsafeMutablePointer<zmq_msg_t>.allocate(capacity: 1)
    zmq_msg_init(message)
    do {
      let length = try unlessBlocked { zmq_msg_recv(message, socket, ZMQ_DONTWAIT) }
      if length != nil, let data = zmq_msg_data(message) { return ZeroMQPart(message, data) }
    } catch {
      discard(message)
      throw error
    }
    discard(message)
    return nil
  }

  private static func discard(_ message: UnsafeMutablePointer<zmq_msg_t>) {
    zmq_msg_close(message)
    message.deallocate()
  }
}

/// Parts on their way out.
enum ZeroMQOutgoingPart {
  /// From this length on libzmq sends from our memory and holds it until then; below, a copy costs less than what it
  /// takes to give memory back from another thread.
  static let sharedLength = 16 << 10

  /// Queues one part; false where the socket takes none now.
  static func send(_ bytes: Bytes, isFollowed: Bool, to socket: UnsafeMutableRawPointer) throws(UVError)
    -> Bool
  {
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
