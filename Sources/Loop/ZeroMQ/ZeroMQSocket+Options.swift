import CZMQ
import Memory

extension ZeroMQSocket {
  static func apply(_ options: Options, to socket: UnsafeMutableRawPointer) throws(UVError) {
    // To close must not wait for peers that do not take what was sent.
    try set(ZMQ_LINGER, to: 0, of: socket)
    try set(ZMQ_SNDHWM, to: 0, of: socket)
    try set(ZMQ_RCVHWM, to: options.receiveHighWaterMark, of: socket)
    try set(ZMQ_RECONNECT_IVL, to: options.reconnectInterval, of: socket)
    var unlimited: Int64 = -1
    guard zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &unlimited, MemoryLayout<Int64>.size) == 0 else {
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
