public import Bytes

/// Writes JSON (RFC 8259) value by value, without white space. Long texts are not copied.
///
/// A value follows the key that was written last, or is the next element of the array. The caller keeps the whole
/// well-formed: one value in all, and a key before each value of an object.
public struct JSONWriter: ~Copyable {
  private enum Position {
    /// True at the beginning and after an opening bracket.
    case first
    case afterKey
    case afterValue
  }

  private var output = GatherBuffer()
  private var position = Position.first

  /// A writer that has written nothing.
  public init() {}

  /// Takes the written JSON, in pieces.
  public mutating func takePieces() -> [Bytes] {
    position = .first
    return output.takeAll()
  }

  /// Takes the written JSON, in one piece.
  public mutating func takeAll() -> Bytes { Bytes.join(takePieces()) }

  // MARK: Structure

  /// Writes an object. `body` writes its keys and values.
  public mutating func object(_ body: (inout JSONWriter) -> Void) {
    begin("{")
    body(&self)
    end("}")
  }

  /// Writes an array. `body` writes its elements.
  public mutating func array(_ body: (inout JSONWriter) -> Void) {
    begin("[")
    body(&self)
    end("]")
  }

  /// Writes the key of the next value. It must not need escapes.
  public mutating func key(_ name: StaticString) {
    beginValue()
    output.append(UInt8(ascii: "\""))
    output.append(literal: name)
    output.append("\":")
    position = .afterKey
  }

  /// Writes any key.
  mutating func key(text name: String) { key(json: JSONString.quote(name)) }

  /// Writes a key that is a JSON string already.
  public mutating func key(json name: Bytes) {
    beginValue()
    output.append(name)
    output.append(UInt8(ascii: ":"))
    position = .afterKey
  }

  /// Ends a line of newline-delimited JSON: what follows is another value.
  public mutating func endLine() {
    output.append(UInt8(ascii: "\n"))
    position = .first
  }

  // MARK: Values

  /// Writes a string that must not need escapes.
  public mutating func value(literal text: StaticString) {
    beginValue()
    output.append(UInt8(ascii: "\""))
    output.append(literal: text)
    output.append(UInt8(ascii: "\""))
  }

  /// Writes a string.
  public mutating func value(_ text: String) { value(json: JSONString.quote(text)) }

  /// Writes a string of UTF-8.
  public mutating func value(_ text: Bytes) { value(json: JSONString.quote(text)) }

  /// Writes a string whose contents are escaped already.
  public mutating func value(contents: Bytes) {
    beginValue()
    output.append(UInt8(ascii: "\""))
    output.append(contents)
    output.append(UInt8(ascii: "\""))
  }

  /// Writes a value that is JSON already.
  public mutating func value(json: Bytes) {
    beginValue()
    output.append(json)
  }

  /// Writes a number.
  public mutating func value(_ number: some FixedWidthInteger) {
    beginValue()
    output.append(String(number))
  }

  /// Writes a finite number.
  public mutating func value(_ number: Double) {
    beginValue()
    output.append(number.isFinite ? "\(number)" : "null")
  }

  /// Writes `true` or `false`.
  public mutating func value(_ value: Bool) {
    beginValue()
    output.append(value ? "true" : "false")
  }

  /// Writes `null`.
  public mutating func null() {
    beginValue()
    output.append("null")
  }

  /// Writes a number, or `null`.
  public mutating func value(_ number: (some FixedWidthInteger)?) {
    if let number { value(number) } else { null() }
  }

  /// Writes a string, or `null`.
  public mutating func value(_ text: String?) {
    if let text { value(text) } else { null() }
  }

  /// Writes an object of strings, in the order of `members`.
  public mutating func value(_ members: [(name: String, value: String)]) {
    object { json in
      for (name, value) in members {
        json.key(text: name)
        json.value(value)
      }
    }
  }

  /// Writes an object of strings, in the order of its keys.
  public mutating func value(_ members: [String: String]) {
    value(members.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) })
  }

  private mutating func begin(_ bracket: String) {
    beginValue()
    output.append(bracket)
    position = .first
  }

  private mutating func end(_ bracket: String) {
    output.append(bracket)
    position = .afterValue
  }

  private mutating func beginValue() {
    if position == .afterValue { output.append(UInt8(ascii: ",")) }
    position = .afterValue
  }
}
