/// Why a ZMTP connection cannot be opened or used any longer.
public struct ZMTPError: Error, Equatable, Sendable {
  /// What was wrong.
  enum Kind: Equatable, Sendable {
    /// The peer's greeting is not ZMTP 3, or has a mechanism other than NULL.
    case invalidGreeting
    /// A frame that is malformed or not allowed now.
    case invalidFrame
    /// A malformed command.
    case invalidCommand
    /// A message over a limit.
    case messageTooLong
    /// The peer has sent an ERROR command, or its socket type is not compatible with ours.
    case refused
  }

  /// What was wrong.
  let kind: Kind
  /// One line for people.
  let message: String

  init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }
}

extension ZMTPError: CustomStringConvertible {
  /// One line for people.
  public var description: String { message }
}
