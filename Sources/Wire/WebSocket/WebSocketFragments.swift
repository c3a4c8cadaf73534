import Bytes

/// A message that arrives in several frames. They are joined when the last one is there, so that large ones are copied
/// once, however many there are, and whoever takes a long message decides where that is done.
struct WebSocketFragments: Sendable {
  /// Frames below this many bytes are gathered at once: a slice of its own for each would cost more than the copy, and
  /// would hold on to all the memory that it was read into.
  private static let smallFrame = 4096
  /// So many bytes of them at a time, as the memory that they are gathered in is copied when it grows.
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

  /// What came, in as few pieces as there are now.
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
