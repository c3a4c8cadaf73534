import Bytes

/// How messages of a kernel are laid out in WebSocket messages. Which layout is spoken is agreed on in the handshake.
enum KernelWebSocketFraming: Sendable, Equatable {
  /// The parts one behind the other, as the kernel made them.
  case v1
  /// One JSON object that holds all parts, for servers that do not offer `v1`.
  case legacy

  /// The subprotocol that stands for `v1`.
  static let subprotocol: Bytes = "v1.kernel.websocket.jupyter.org"

  /// The layout that the server chose by its answer to the handshake.
  init(subprotocol: Bytes?) {
    self = subprotocol == Self.subprotocol ? .v1 : .legacy
  }

  /// The message in `frame`, in slices of it. Parts of a `v1` message may be anything, those of a JSON one are sound
  /// JSON.
  func decode(_ frame: Bytes, isText: Bool) throws(KernelFramingError) -> KernelFrame {
    if isText { return try LegacyLayout.decodeText(frame) }
    return switch self {
    case .v1: try V1Layout.decode(frame)
    case .legacy: try LegacyLayout.decodeBinary(frame)
    }
  }

  /// The pieces of the WebSocket message that says `frame`, and whether it is text.
  func encode(_ frame: KernelFrame) -> (pieces: [Bytes], isText: Bool) {
    switch self {
    case .v1: (V1Layout.encode(frame), false)
    case .legacy: (LegacyLayout.encode(frame), true)
    }
  }
}
