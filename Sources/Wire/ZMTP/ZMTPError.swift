/// Why a peer cannot be spoken to by ZMTP, or not any longer.
public struct ZMTPError: Error, Equatable, Sendable {
  /// What was wrong.
  enum Kind: Equatable, Sendable {
    /// The peer's first bytes are no greeting of ZMTP 3, or ask for a mechanism other than NULL.
    case invalidGreeting
    /// A frame that is not allowed, or not there.
    case invalidFrame
    /// A command that cannot be understood.
    case invalidCommand
    /// A message over a limit.
    case messageTooLong
    /// The peer has sent an ERROR command, or its socket is of a kind that ours does not speak to.
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
