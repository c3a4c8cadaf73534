import CZMQ
import Bytes

extension ZeroMQSocket {
  /// What the socket does with messages.
  enum Kind: Sendable {
    /// Sends to its peers in turn, receives from all.
    case dealer
    /// Puts the sender's identity before what it receives, and sends to whom the first part names.
    case router
    /// Sends to all who subscribed.
    case publisher
    /// Receives what it subscribed to.
    case subscriber
    /// One peer.
    case pair

    var rawValue: CInt {
      switch self {
      case .dealer: ZMQ_DEALER
      case .router: ZMQ_ROUTER
      case .publisher: ZMQ_PUB
      case .subscriber: ZMQ_SUB
      case .pair: ZMQ_PAIR
      }
    }
  }

  /// How a socket behaves; fixed before it connects.
  struct Options: Sendable {
    /// What a router calls it; empty lets the router choose.
    var identity = Bytes()
    /// How many messages may wait to be received before libzmq's thread stops reading; 0 for any number.
    var receiveHighWaterMark: CInt = 0
    /// How long all parts of a message may be together, in bytes. libzmq knows the limit of a part alone.
    var maximumMessageLength = Int.max
  }

  /// How soon a connection that failed is tried again, in milliseconds: only where nobody closes the socket before.
  private static let reconnectInterval: CInt = 100

  static func apply(_ options: Options, to socket: UnsafeMutableRawPointer) throws(UVError) {
    // To close must not wait for peers that do not take what was sent.
    try set(ZMQ_LINGER, to: 0, of: socket)
    try set(ZMQ_RCVHWM, to: options.receiveHighWaterMark, of: socket)
    try set(ZMQ_RECONNECT_IVL, to: reconnectInterval, of: socket)
    var longest = Int64(options.maximumMessageLength)
    guard zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &longest, MemoryLayout<Int64>.size) == 0 else {
      throw UVError.ofZeroMQ
    }
    if !options.identity.isEmpty { try set(ZMQ_ROUTING_ID, to: options.identity, of: socket) }
  }

  static func set(_ option: CInt, to value: CInt, of socket: UnsafeMutableRawPointer) throws(UVError) {
    var value = value
    guard zmq_setsockopt(socket, option, &value, MemoryLayout<CInt>.size) == 0 else { throw UVError.ofZeroMQ }
  }

  static func set(_ option: CInt, to value: Bytes, of socket: UnsafeMutableRawPointer) throws(UVError) {
    let status = value.withUnsafeBytes { zmq_setsockopt(socket, option, $0.baseAddress, $0.count) }
    guard status == 0 else { throw UVError.ofZeroMQ }
  }

  static func number(_ option: CInt, of socket: UnsafeMutableRawPointer) throws(UVError) -> CInt {
    var value: CInt = 0
    var length = MemoryLayout<CInt>.size
    guard try unlessBlocked({ zmq_getsockopt(socket, option, &value, &length) }) != nil else { return 0 }
    return value
  }
}
