import Bytes

extension JSONSlice {
  /// The members of an object in order, including repeated names; none if the value is not an object.
  var members: JSONMembers { JSONMembers(object: self) }

  /// The elements of an array in order; none if the value is not an array.
  public var elements: JSONElements { JSONElements(array: self) }

  /// Calls `body` with each member of an object, in order. A key is the contents of a string, still escaped.
  public func forEachMember<E: Error>(_ body: (_ key: JSONSlice, _ value: JSONSlice) throws(E) -> Void)
    throws(E)
  {
    var iterator = members.makeIterator()
    while let (key, value) = iterator.next() { try body(key, value) }
  }

  /// The value of the member `key`; of the last one if the name is repeated, as in Python and JavaScript. Nil if there
  /// is none, or the value is not an object.
  ///
  /// Searches the whole object. To read several members of a long object, iterate over `members` once.
  public subscript(key: String) -> JSONSlice? {
    var found: Range<Int>?
    let name = key.utf8.span
    bytes.withSpan { span in
      var cursor = JSONCursor(in: span, of: .object, self)
      while let member = cursor.nextMember(in: span) {
        if JSONString.isEqual(member.key.lowerBound + 1..<member.key.upperBound - 1, of: span, to: name) {
          found = member.value
        }
      }
    }
    return found.map(part)
  }
}

/// The members of an object.
struct JSONMembers: Sequence, Sendable {
  let object: JSONSlice

  /// Starts at the first member.
  func makeIterator() -> Iterator { Iterator(object: object) }

  /// Iterates over the members.
  struct Iterator: IteratorProtocol {
    private let object: JSONSlice
    private var cursor: JSONCursor

    init(object: JSONSlice) {
      self.object = object
      cursor = object.bytes.withSpan { JSONCursor(in: $0, of: .object, object) }
    }

    /// The next member: its key, still escaped, and its value.
    mutating func next() -> (key: JSONSlice, value: JSONSlice)? {
      guard let member = object.bytes.withSpan({ cursor.nextMember(in: $0) }) else { return nil }
      return (object.part(member.key), object.part(member.value))
    }
  }
}

/// The elements of an array.
public struct JSONElements: Sequence, Sendable {
  let array: JSONSlice

  /// Starts at the first element.
  public func makeIterator() -> Iterator { Iterator(array: array) }

  /// Iterates over the elements.
  public struct Iterator: IteratorProtocol {
    private let array: JSONSlice
    private var cursor: JSONCursor

    init(array: JSONSlice) {
      self.array = array
      cursor = array.bytes.withSpan { JSONCursor(in: $0, of: .array, array) }
    }

    /// The next element.
    public mutating func next() -> JSONSlice? {
      array.bytes.withSpan { cursor.nextElement(in: $0) }.map(array.part)
    }
  }
}

/// A position between the members or elements of a valid object or array.
struct JSONCursor {
  /// The start of the next member or element; the count of the bytes at the end.
  private var index: Int
  private let findings: JSONFindings

  /// The start of `slice`, whose bytes are `span`; its end if it is not of the requested kind.
  init(in span: Span<UInt8>, of wanted: JSONSlice.Kind, _ slice: JSONSlice) {
    index = span.count
    findings = slice.findings
    guard wanted == slice.kind else { return }
    let first = ValidatedJSON.skipWhiteSpace(in: span, from: 1)
    if first < span.count - 1 { index = first }
  }

  mutating func nextMember(in span: Span<UInt8>) -> (key: Range<Int>, value: Range<Int>)? {
    guard index < span.count else { return nil }
    let key = index..<ValidatedJSON.endOfString(in: span, from: index, findings)
    let colon = ValidatedJSON.skipWhiteSpace(in: span, from: key.upperBound)
    index = ValidatedJSON.skipWhiteSpace(in: span, from: colon + 1)
    guard let value = nextElement(in: span) else { return nil }
    return (key, value)
  }

  mutating func nextElement(in span: Span<UInt8>) -> Range<Int>? {
    guard index < span.count else { return nil }
    let value = index..<ValidatedJSON.endOfValue(in: span, from: index, findings)
    let separator = ValidatedJSON.skipWhiteSpace(in: span, from: value.upperBound)
    let isLast = separator >= span.count - 1
    index = isLast ? span.count : ValidatedJSON.skipWhiteSpace(in: span, from: separator + 1)
    return value
  }
}
