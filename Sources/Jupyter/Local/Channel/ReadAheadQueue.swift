import DequeModule
import Bytes

/// The messages that a `ReadAheadSocket` has taken and its reader has not, up to a limit.
///
/// Long messages are output. Those beyond the limit are dropped before anybody looks at them. Short ones, which may be
/// replies, are never dropped. Each of the two has the limit to itself, so that one does not take the place of the other.
struct ReadAheadQueue {
  /// From this length on a message counts as long, in bytes. Replies and status messages have some hundreds.
  static let longLength = 64 << 10

  /// How many bytes of long messages may wait, and how many of short ones.
  let limit: Int
  /// How many bytes were dropped since `takeDropped`.
  private(set) var dropped = 0
  private var messages: Deque<[Bytes]> = []
  private var longBytes = 0
  private var shortBytes = 0

  init(limit: Int) { self.limit = limit }

  /// True where no message waits.
  var isEmpty: Bool { messages.isEmpty }

  /// Takes a message of these parts, or drops it.
  ///
  /// - Throws: `KernelOverrun` where too much waits of what cannot be dropped.
  mutating func append(_ parts: [Bytes]) throws(KernelOverrun) {
    let size = Self.size(of: parts)
    if size < Self.longLength {
      guard shortBytes + size <= limit else { throw KernelOverrun(limit: limit) }
      shortBytes += size
    } else {
      // One alone may be longer.
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

  /// `dropped`, which is zero afterwards.
  mutating func takeDropped() -> Int {
    defer { dropped = 0 }
    return dropped
  }

  /// Forgets the messages.
  mutating func removeAll() {
    messages.removeAll()
    longBytes = 0
    shortBytes = 0
  }

  private static func size(of parts: [Bytes]) -> Int {
    parts.reduce(MessageBacklog.overhead) { $0 + $1.count }
  }
}

/// A kernel has sent more than can be meant, of what cannot be dropped.
struct KernelOverrun: Error, CustomStringConvertible {
  /// How many bytes may wait.
  let limit: Int

  var description: String {
    "the kernel sent messages without end: more than \(limit) bytes waited (--max-unread-output)"
  }
}
