import Bytes

/// What a peer tells the connection itself.
///
/// https://rfc.zeromq.org/spec/23/ "Commands", and https://rfc.zeromq.org/spec/37/ for PING and PONG
enum ZMTPCommand: Equatable {
  /// The kind of the peer's socket, by its name.
  case ready(socketType: Bytes)
  /// The peer does not want to speak to us.
  case error(reason: String)
  /// To be answered with the same bytes.
  case ping(context: Bytes)
  /// Of no meaning to us, such as the answer to a ping.
  case other

  /// How long a command may be: READY holds a few short properties, and no other is longer.
  static let maximumLength = 64 << 10
  /// The seconds that a ping's sender goes on to believe in us.
  private static let timeToLiveLength = 2

  /// Reads the body of a command frame.
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

  /// Finds the property among all: a name and a value each, with their lengths in one byte and in four.
  private static func socketType(in metadata: Bytes) throws(ZMTPError) -> Bytes {
    var rest = metadata
    var found: Bytes?
    while !rest.isEmpty {
      let nameLength = Int(rest[0])
      guard rest.count >= 1 + nameLength + 4 else { throw invalid("A READY command is cut short") }
      let name = rest[1..<1 + nameLength]
      let lengthIndex = 1 + nameLength
      let valueLength = (0..<4).reduce(0) { $0 << 8 | Int(rest[lengthIndex + $1]) }
      rest = rest[(lengthIndex + 4)...]
      guard valueLength <= rest.count else { throw invalid("A READY command is cut short") }
      // Names are compared without case.
      if name.isEqual(ignoringCaseTo: "socket-type") { found = rest[0..<valueLength] }
      rest = rest[valueLength...]
    }
    guard let found else { throw invalid("A READY command does not name the kind of socket") }
    return found
  }

  private static func invalid(_ message: String) -> ZMTPError { ZMTPError(.invalidCommand, message) }
}
