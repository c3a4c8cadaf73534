public import Bytes
import Wire

/// A `msg_id`, or the identifier of a session, which begins those of its messages. Compared as bytes.
public struct MessageIdentifier: Hashable, Sendable, CustomStringConvertible {
  /// A UUID, a number and something between; the longest known one (of jupyter_client) has 48 bytes.
  public static let longestLength = 256

  /// Visible ASCII.
  public let bytes: Bytes

  /// A message that answers none has none.
  static let none = MessageIdentifier(ours: "")

  /// One that we have made.
  init(ours text: String) { bytes = Bytes(text) }

  /// The one that a kernel has sent; nil where it can be none: not a string, too long, not visible ASCII.
  init?(_ value: JSONSlice) {
    guard value.kind == .string else { return nil }
    var bytes = value.stringContents
    if bytes.firstIndex(of: UInt8(ascii: "\\")) != nil {
      guard bytes.count <= 6 * Self.longestLength, let text = value.text else { return nil }
      bytes = text
    }
    guard bytes.count <= Self.longestLength, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
    self.bytes = bytes
  }

  /// True for a message of the session.
  func belongs(to session: MessageIdentifier) -> Bool { bytes.hasPrefix(session.bytes) }

  /// The text.
  public var description: String { String(bytes) }
}
