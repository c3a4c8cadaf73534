/// How much a reader of messages may take before it yields. Messages that have arrived do not suspend the reader, so a flood
/// of them, or of long ones, would keep the loop from everything else.
struct TurnBudget {
  /// A message takes some 10 µs with all that follows from it, so that others wait less than 1 ms.
  static let messages = 64

  /// To check, escape and send so many bytes takes about as long. A single longer message is checked on another thread.
  static let bytes = 1 << 20

  private var messagesLeft = messages
  private var bytesLeft = bytes

  /// Counts a message of `count` bytes; true when the reader has to yield before the next one.
  mutating func isSpent(by count: Int) -> Bool {
    messagesLeft -= 1
    bytesLeft -= min(count, Self.bytes)
    if messagesLeft > 0, bytesLeft > 0 { return false }
    renew()
    return true
  }

  /// Starts anew: the reader is about to wait anyway.
  mutating func renew() { self = TurnBudget() }
}
