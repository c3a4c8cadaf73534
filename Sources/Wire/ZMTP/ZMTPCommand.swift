import Bytes

/// A command of the peer.
///
/// https://rfc.zeromq.org/spec/23/ "Commands", and https://rfc.zeromq.org/spec/37/ for PING and PONG
enum ZMTPCommand: Equatable {
  /// READY, with the peer's socket type.
  case ready(socketType: Bytes)
  /// ERROR: the peer refuses the connection.
  case error(reason: String)
  /// PING. The response is a PONG with the same context.
  case ping(context: Bytes)
  /// Any other command, such as PONG.
  case other

  /// The limit of a command, in bytes. READY has a few short properties, and no other command is longer.
  static let maximumLength = 64 << 10
  /// The length of a ping's TTL field.
  private static let timeToLiveLength = 2

  /// Parses the body of a command frame.
  init(_ body: Bytes) throws(ZMTPError) {
    guard body.count >= 1, Int(body[0]) <= body.count - 1 else { throw Self.invalid("A command has no name") }
    let data = body[(1 + Int(body[0]))...]
    switch body[1..<1 + Int(body[0])] {
    case "READY": self = .ready(socketType: try Self.socketType(in: data))
    case "ERROR":
      guard data.count >= 1, Int(data[0]) == data.count - 1 else {
        throw Self.invalid("An ERROR command has no reason")
      }
      self = .error(reason: String(data[1...]))
    case "PING":
      guard data.count >= Self.timeToLiveLength else {
        throw Self.invalid("A PING command has no time to live")
      }
      self = .ping(context: data[Self.timeToLiveLength...])
    default: self = .other
    }
  }

  /// Finds the property `Socket-Type`. A property is a name with its length in one byte, and a value with its length
  /// in four.
  private static func socketType(in metadata: Bytes) throws(ZMTPError) -> Bytes {
    var rest = metadata
    var found: Bytes?
    while !rest.isEmpty {
      let nameLength = Int(rest[0])
      guard rest.count >= 1 + nameLength + 4 else { throw invalid("A READY command is truncated") }
      let name = rest[1..<1 + nameLength]
      let lengthIndex = 1 + nameLength
      let valueLength = (0..<4).reduce(0) { $0 << 8 | Int(rest[lengthIndex + $1]) }
      rest = rest[(lengthIndex + 4)...]
      guard valueLength <= rest.count else { throw invalid("A READY command is truncated") }
      // Names are case-insensitive.
      if name.isEqual(ignoringCaseTo: "socket-type") { found = rest[0..<valueLength] }
      rest = rest[valueLength...]
    }
    guard let found else { throw invalid("A READY command has no Socket-Type") }
    return found
  }

  private static func invalid(_ message: String) -> ZMTPError { ZMTPError(.invalidCommand, message) }
}
