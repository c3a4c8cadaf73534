import Bytes

/// The layout of kernel messages in WebSocket messages, which the subprotocol of the handshake decides.
enum WebSocketFraming: Sendable, Equatable {
  /// The parts one after the other, as the kernel sent them.
  case v1
  /// One JSON object that holds all parts, for servers that do not offer `v1`.
  case legacy

  /// The subprotocol of `v1`.
  static let subprotocol: Bytes = "v1.kernel.websocket.jupyter.org"

  /// The layout that the server chose by its answer to the handshake.
  init(subprotocol: Bytes?) {
    self = subprotocol == Self.subprotocol ? .v1 : .legacy
  }

  /// The message in `frame`, in slices of it. The parts of a `v1` message are not checked; those of a `legacy` one are valid
  /// JSON.
  func decode(_ frame: Bytes, isText: Bool) throws(KernelFramingError) -> KernelFrame {
    if isText { return try LegacyLayout.decodeText(frame) }
    return switch self {
    case .v1: try V1Layout.decode(frame)
    case .legacy: try LegacyLayout.decodeBinary(frame)
    }
  }

  /// The pieces of the WebSocket message for `frame`, and whether it is a text message.
  func encode(_ frame: KernelFrame) -> (pieces: [Bytes], isText: Bool) {
    switch self {
    case .v1: (V1Layout.encode(frame), false)
    case .legacy: (LegacyLayout.encode(frame), true)
    }
  }
}
