import Memory

/// A message that arrives in several frames. They are joined when the last one is there, so that large ones are copied
/// once, however many there are.
struct WebSocketFragments: Sendable {
  /// Frames below this many bytes are gathered at once: a slice of its own for each would cost more than the copy, and
  /// would hold on to all the memory that it was read into.
  private static let smallFrame = 4096

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
    } else {
      gatherSmall()
      pieces.append(payload)
    }
  }

  mutating func joined() -> Bytes {
    gatherSmall()
    if pieces.count == 1 { return pieces[0] }
    var whole = ByteBuffer()
    whole.reserve(count)
    for piece in pieces { whole.append(piece) }
    return whole.takeAll()
  }

  private mutating func gatherSmall() {
    if small.isEmpty { return }
    pieces.append(Bytes(small))
    small = []
  }
}
