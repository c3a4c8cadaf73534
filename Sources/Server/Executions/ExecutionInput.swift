import Bytes
import Wire

/// Where an execution gets what its code asks for (`input()`).
enum ExecutionInput: Sendable, Equatable {
  /// Code that asks fails at once.
  case none
  /// The client answers each question.
  case client
  /// These lines, and the end of the input behind them.
  case lines(InputLines)

  /// True if the code may ask.
  var isAllowed: Bool { self != .none }
}

/// A text that is read line by line. It is the contents of a JSON string.
struct InputLines: Sendable, Equatable {
  /// What makes `input()` of ipykernel raise `EOFError`: the character that ends the input of a terminal, as a JSON string has
  /// it.
  static let end: Bytes = "\\u0004"

  private var rest: Bytes

  init(_ contents: Bytes) { rest = contents }

  /// The next line, without its line break; `end` where there is none.
  mutating func next() -> Bytes {
    if rest.isEmpty { return Self.end }
    let newline = JSONString.firstNewline(contents: rest)
    let line = rest[0..<(newline?.lowerBound ?? rest.count)]
    rest = rest[(newline?.upperBound ?? rest.count)...]
    return line
  }
}
