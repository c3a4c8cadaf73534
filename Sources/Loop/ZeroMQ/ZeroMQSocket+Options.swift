import CZMQ
import Bytes

extension ZeroMQSocket {
  /// The type of a socket (zmq_socket(3)).
  enum Kind: Sendable {
    case dealer
    case router
    case publisher
    case subscriber
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

  /// Options that are set before a socket connects (zmq_setsockopt(3)).
  struct Options: Sendable {
    /// ZMQ_ROUTING_ID, by which a router calls it; empty lets the router choose.
    var identity = Bytes()
    /// ZMQ_RCVHWM: how many messages may wait to be received before libzmq stops reading; 0 for no limit.
    var receiveHighWaterMark: CInt = 0
    /// The limit for all parts of a message together, in bytes. ZMQ_MAXMSGSIZE, which gets it too, limits each part.
    var maximumMessageLength = Int.max
  }

  /// ZMQ_RECONNECT_IVL, in milliseconds. Sockets whose connection has ended are usually closed before.
  private static let reconnectInterval: CInt = 100

  static func apply(_ options: Options, to socket: UnsafeMutableRawPointer) throws(UVError) {
    // Closing must not wait for a peer that does not read.
    try set(ZMQ_LINGER, to: 0, of: socket)
    try set(ZMQ_RCVHWM, to: options.receiveHighWaterMark, of: socket)
    try set(ZMQ_RECONNECT_IVL, to: reconnectInterval, of: socket)
    var longest = Int64(options.maximumMessageLength)
    guard zmq.setsockopt(socket, ZMQ_MAXMSGSIZE, &longest, MemoryLayout<Int64>.size) == 0 else {
      throw UVError.ofZeroMQ
    }
    if !options.identity.isEmpty { try set(ZMQ_ROUTING_ID, to: options.identity, of: socket) }
  }

  static func set(_ option: CInt, to value: CInt, of socket: UnsafeMutableRawPointer) throws(UVError) {
    var value = value
    guard zmq.setsockopt(socket, option, &value, MemoryLayout<CInt>.size) == 0 else { throw UVError.ofZeroMQ }
  }

  static func set(_ option: CInt, to value: Bytes, of socket: UnsafeMutableRawPointer) throws(UVError) {
    let status = value.withUnsafeBytes { zmq.setsockopt(socket, option, $0.baseAddress, $0.count) }
    guard status == 0 else { throw UVError.ofZeroMQ }
  }

  static func number(_ option: CInt, of socket: UnsafeMutableRawPointer) throws(UVError) -> CInt {
    var value: CInt = 0
    var length = MemoryLayout<CInt>.size
    guard try unlessBlocked({ zmq.getsockopt(socket, option, &value, &length) }) != nil else { return 0 }
    return value
  }
}
