/// How much whoever reads messages in a loop may take before others have their turn: messages that are there already
/// do not suspend the reader, and a flood of them, or of long ones, would keep the loop from everything else.
struct TurnBudget {
  /// A message costs some ten microseconds with all that is done about it, so that others wait less than one
  /// millisecond, and that they run in between does not show.
  static let messages = 64

  /// And so many bytes: to check them, escape them and hand them to a client's socket costs about as much. Of a single
  /// message that is longer the check goes to another thread.
  static let bytes = 1 << 20

  private var messagesLeft = messages
  private var bytesLeft = bytes

  /// Takes note of a message of `count` bytes; true when the reader has to let others run before the next one.
  mutating func isSpent(by count: Int) -> Bool {
    messagesLeft -= 1
    bytesLeft -= min(count, Self.bytes)
    if messagesLeft > 0, bytesLeft > 0 { return false }
    renew()
    return true
  }

  /// The reader is about to wait anyway.
  mutating func renew() { self = TurnBudget() }
}
