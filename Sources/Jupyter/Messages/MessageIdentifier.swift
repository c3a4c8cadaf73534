import Bytes
import Wire

/// A `msg_id`, or the identifier of a session, which is the prefix of the identifiers of its messages. Compared as bytes.
public struct MessageIdentifier: Hashable, Sendable, CustomStringConvertible {
  /// In bytes. The longest known one is that of jupyter_client with 48: a UUID and two numbers.
  static let longestLength = 256

  /// Visible ASCII.
  let bytes: Bytes

  /// The parent of a message that answers no request.
  static let none = MessageIdentifier(ours: "")

  /// An identifier created here.
  init(ours text: String) { bytes = Bytes(text) }

  /// An identifier that a kernel has sent; nil if it is not a string, too long, or not visible ASCII.
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
