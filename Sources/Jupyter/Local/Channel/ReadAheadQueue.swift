import DequeModule
import Bytes

/// The messages that a `ReadAheadSocket` has received and its reader has not taken yet, up to a limit.
///
/// Long messages are output. Beyond the limit they are dropped before they are parsed. Short ones may be replies and are
/// never dropped. The limit applies to each of the two kinds alone, so that neither takes the other's place.
struct ReadAheadQueue {
  /// A message of this many bytes or more counts as long. Replies and status messages have some hundreds.
  static let longLength = 64 << 10

  /// How many bytes of long messages may wait, and how many of short ones.
  let limit: Int
  /// How many bytes were dropped since the last `takeDropped`.
  private(set) var dropped = 0
  private var messages: Deque<[Bytes]> = []
  private var longBytes = 0
  private var shortBytes = 0

  init(limit: Int) { self.limit = limit }

  /// True if no message is waiting.
  var isEmpty: Bool { messages.isEmpty }

  /// Adds a message of these parts, or drops it.
  ///
  /// - Throws: `KernelOverrun` if too many bytes of short messages are waiting.
  mutating func append(_ parts: [Bytes]) throws(KernelOverrun) {
    let size = Self.size(of: parts)
    if size < Self.longLength {
      guard shortBytes + size <= limit else { throw KernelOverrun(limit: limit) }
      shortBytes += size
    } else {
      // A message alone may be longer than the limit.
      guard longBytes == 0 || longBytes + size <= limit else {
        dropped += size
        return
      }
      longBytes += size
    }
    messages.append(parts)
  }

  /// The next message, the oldest first.
  mutating func popFirst() -> [Bytes]? {
    guard let parts = messages.popFirst() else { return nil }
    let size = Self.size(of: parts)
    if size < Self.longLength { shortBytes -= size } else { longBytes -= size }
    return parts
  }

  /// Returns `dropped` and resets it to zero.
  mutating func takeDropped() -> Int {
    defer { dropped = 0 }
    return dropped
  }

  mutating func removeAll() {
    messages.removeAll()
    longBytes = 0
    shortBytes = 0
  }

  private static func size(of parts: [Bytes]) -> Int {
    MessageQueue.overhead + parts.byteCount
  }
}

/// A kernel has sent more messages than may wait, of those that are never dropped.
struct KernelOverrun: Error, CustomStringConvertible {
  /// How many bytes may wait.
  let limit: Int

  var description: String {
    "the kernel sent too many messages: more than \(limit) bytes are unread (--max-unread-output)"
  }
}
