/// Why a WebSocket cannot be opened, or cannot go on.
public struct WebSocketError: Error, Equatable, Sendable {
  /// What was wrong.
  enum Kind: Equatable, Sendable {
    /// The peer answered the handshake with this status.
    case refused(status: Int)
    /// The peer's answer to the handshake is not that of RFC 6455 section 4.2.2.
    case invalidHandshake
    /// A frame that RFC 6455 section 5 does not allow.
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

  /// The code that the close frame to the peer should carry (RFC 6455 section 7.4.1); nil while there is no WebSocket.
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
