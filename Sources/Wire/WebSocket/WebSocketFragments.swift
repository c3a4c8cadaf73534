import Bytes

/// A message in several frames. Long ones are joined by the caller after the last frame, so that they are copied once,
/// on a thread of the caller's choice.
struct WebSocketFragments: Sendable {
  /// Shorter frames are joined at once: a slice for each would cost more than the copy, and would keep the memory that
  /// it was read into.
  private static let smallFrame = 4096
  /// The size of the memory for joined frames, which is copied when it grows.
  private static let gathered = 1 << 16

  let isText: Bool
  private(set) var count = 0
  private var pieces: [Bytes] = []
  private var small: [UInt8] = []

  init(isText: Bool) { self.isText = isText }

  mutating func append(_ payload: Bytes) {
    count += payload.count
    if payload.count < Self.smallFrame {
      payload.withSpan { span in
        for index in span.indices { small.append(span[index]) }
      }
      if small.count >= Self.gathered { gatherSmall() }
    } else {
      gatherSmall()
      pieces.append(payload)
    }
  }

  /// The payloads so far, in as few pieces as possible.
  mutating func takePieces() -> [Bytes] {
    gatherSmall()
    defer { pieces = [] }
    return pieces
  }

  private mutating func gatherSmall() {
    if small.isEmpty { return }
    pieces.append(Bytes(small))
    small = []
  }
}
