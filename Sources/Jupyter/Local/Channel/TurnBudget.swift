/// How much whoever reads messages in a loop may take before others have their turn: messages that are there already
/// do not suspend the reader, and a flood of them would keep the loop from everything else.
struct TurnBudget {
  /// A message costs some ten microseconds with all that is done about it, so that others wait less than one
  /// millisecond, and that they run in between does not show.
  static let messages = 64

  private var left = messages

  /// Takes note of a message; true when the reader has to let others run before the next one.
  mutating func isSpent() -> Bool {
    left -= 1
    if left > 0 { return false }
    renew()
    return true
  }

  /// The reader is about to wait anyway.
  mutating func renew() { left = Self.messages }
}
