public import Bytes

/// What a peer has said by ZMTP.
public enum ZMTPEvent: Equatable, Sendable {
  /// Its greeting, once and first: it is to be told of our socket.
  case greeting
  /// What its socket is, once and second: messages may go both ways.
  case ready(ZMTPSocketType)
  /// A whole message: all its parts, at least one, in the memory that they arrived in.
  case message([Bytes])
  /// To be answered by `ZMTPFrame.encodePong` with the same bytes.
  case ping(Bytes)
}
