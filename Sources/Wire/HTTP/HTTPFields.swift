public import Bytes

/// Header or trailer fields in the order they came. Names are compared without case (RFC 9110, 5.1).
///
/// swift-http-types is not used: its values are `String`, while field values may be any bytes except control
/// characters (obs-text). Here all fields of a head share one block of memory, and names keep their case;
/// `HTTPField.Name` has a second, lowercase string for each name.
public struct HTTPFields: Sendable {
  /// One field line.
  struct Field: Sendable, Equatable {
    /// The name in the case in which it came. Parsed names are ASCII.
    var name: String
    /// The value without the white space around it. It need not be UTF-8.
    var value: Bytes

    /// A field with `name` and `value`.
    init(name: String, value: Bytes) {
      self.name = name
      self.value = value
    }
  }

  /// The field lines in their order.
  private(set) var lines: [Field] = []

  /// No fields.
  public init() {}

  mutating func reserveCapacity(_ count: Int) { lines.reserveCapacity(count) }

  /// Adds a field after the others, even if there is one of that name.
  mutating func append(_ name: String, _ value: Bytes) {
    lines.append(Field(name: name, value: value))
  }

  /// The same with the UTF-8 of `value`.
  public mutating func append(_ name: String, _ value: String) { append(name, Bytes(value)) }

  /// The value of the first field called `name`.
  public func first(_ name: String) -> Bytes? {
    for field in lines where Self.isSame(field.name, name) { return field.value }
    return nil
  }

  /// The values of all fields called `name`, in their order.
  public func all(_ name: String) -> [Bytes] {
    lines.filter { Self.isSame($0.name, name) }.map(\.value)
  }

  /// The values of all fields called `name`, joined with commas (RFC 9110, 5.3); nil if there are none.
  public func list(_ name: String) -> Bytes? {
    let values = all(name)
    return values.isEmpty ? nil : Bytes.join(values, separator: ",")
  }

  /// The value of the first field called `name`, and how many there are.
  func occurrences(_ name: String) -> (first: Bytes?, count: Int) {
    var found: (first: Bytes?, count: Int) = (nil, 0)
    for field in lines where Self.isSame(field.name, name) {
      if found.count == 0 { found.first = field.value }
      found.count += 1
    }
    return found
  }

  /// Removes all fields called `name`.
  public mutating func remove(_ name: String) {
    lines.removeAll { Self.isSame($0.name, name) }
  }

  /// Replaces all fields called `name` with one.
  public mutating func set(_ name: String, _ value: Bytes) {
    remove(name)
    append(name, value)
  }

  /// True if a field called `name` has `token` in its comma-separated list, compared without case (RFC 9110, 5.6.1).
  func list(_ name: String, contains token: StaticString) -> Bool {
    for field in lines where Self.isSame(field.name, name) {
      for element in field.value.split(separator: UInt8(ascii: ",")) {
        if element.trimmingBlanks().isEqual(ignoringCaseTo: token) { return true }
      }
    }
    return false
  }

  static func isSame(_ left: String, _ right: String) -> Bool {
    guard left.utf8.count == right.utf8.count else { return false }
    return isSame(left.utf8.span, right.utf8.span)
  }

  private static func isSame(_ left: borrowing Span<UInt8>, _ right: borrowing Span<UInt8>) -> Bool {
    for index in left.indices where left[index].lowercased != right[index].lowercased { return false }
    return true
  }
}

extension HTTPFields: Equatable {
  /// True if both have the same fields in the same order, names compared without case.
  public static func == (left: HTTPFields, right: HTTPFields) -> Bool {
    left.lines.elementsEqual(right.lines) { isSame($0.name, $1.name) && $0.value == $1.value }
  }
}

extension HTTPFields: ExpressibleByDictionaryLiteral {
  /// Fields in the order of the literal; names may repeat.
  public init(dictionaryLiteral elements: (String, String)...) {
    lines = elements.map { Field(name: $0.0, value: Bytes($0.1)) }
  }
}

extension Bytes {
  /// Without the spaces and tabs at both ends.
  func trimmingBlanks() -> Bytes { trimming(\.isBlank) }
}
