/// How much whoever reads messages in a loop may take before others have their turn: messages that are there already
/// do not suspend the reader, and a flood of them would keep the loop from everything else.
struct TurnBudget {
  /// A message costs some ten microseconds with all that is done about it, so that others wait less than one
  /// millisecond, and the turns of the loop in between do not show.
  static let messages = 64

  private var left = messages

  /// Takes note of a message; true when it was the last of this turn, and the reader has to wait for the next one.
  mutating func isSpent() -> Bool {
    left -= 1
    if left > 0 { return false }
    renew()
    return true
  }

  /// The reader is about to wait anyway.
  mutating func renew() { left = Self.messages }
}
