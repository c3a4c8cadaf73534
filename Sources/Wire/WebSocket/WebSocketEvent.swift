public import Bytes

/// What a peer has said over a WebSocket.
public enum WebSocketEvent: Equatable, Sendable {
  /// A whole message. Text is known to be UTF-8, unless it is long, as the parser was told.
  case message(Bytes, isText: Bool)
  /// A whole message that is long and came in several frames, whose payloads these are. Text may be none.
  case pieces([Bytes], isText: Bool)
  /// To be answered by a pong with the same bytes.
  case ping(Bytes)
  /// The answer to a ping, or a sign of life that nobody asked for.
  case pong(Bytes)
  /// The peer closes, and says nothing after this. To be answered by a close frame, unless one was sent before.
  case close(code: UInt16?, reason: String)
}
