/// Why a WebSocket cannot be opened or used any longer.
public struct WebSocketError: Error, Equatable, Sendable {
  /// What was wrong.
  enum Kind: Equatable, Sendable {
    /// The peer responded to the handshake with this status.
    case refused(status: Int)
    /// The peer's response to the handshake does not follow RFC 6455, section 4.2.2.
    case invalidHandshake
    /// A frame that RFC 6455, section 5 does not allow.
    case invalidFrame
    /// Text that is not UTF-8.
    case invalidText
    /// A message over the limit.
    case messageTooLong
  }

  /// What was wrong.
  let kind: Kind
  /// One line for people.
  let message: String

  init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  /// The status code for the close frame to the peer (RFC 6455, section 7.4.1); nil before the handshake is complete.
  public var closeCode: UInt16? {
    switch kind {
    case .refused, .invalidHandshake: nil
    case .invalidFrame: 1002
    case .invalidText: 1007
    case .messageTooLong: 1009
    }
  }
}

extension WebSocketError: CustomStringConvertible {
  /// One line for people.
  public var description: String { message }
}
