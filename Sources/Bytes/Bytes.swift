/// Immutable bytes with shared memory: a slice costs a reference count and no copy.
///
/// Parsers take it from what a socket has read, and sockets write it. Indices begin at zero in every slice (unlike
/// `ArraySlice`), so that the offsets that a parser finds are valid in the slice that it was given.
///
/// `@unchecked Sendable`: the memory behind a value is never written again.
public struct Bytes: @unchecked Sendable {
  /// Keeps the memory alive; nil for the empty value.
  let storage: ByteStorage?
  @usableFromInline let start: UnsafeRawPointer?
  /// The number of bytes.
  public let count: Int

  /// No bytes.
  public init() {
    self.storage = nil
    self.start = nil
    self.count = 0
  }

  init(storage: ByteStorage, offset: Int, count: Int) {
    precondition(offset >= 0 && count >= 0 && offset <= storage.capacity - count)
    self.storage = storage
    self.start = UnsafeRawPointer(storage.base) + offset
    self.count = count
  }

  private init(storage: ByteStorage?, start: UnsafeRawPointer?, count: Int) {
    self.storage = storage
    self.start = start
    self.count = count
  }

  /// All bytes of `storage`, which must be initialised and is not written any more.
  public init(sharing storage: ByteStorage) {
    self.init(storage: storage, offset: 0, count: storage.capacity)
  }

  /// A copy of `elements`.
  public init(_ elements: some Collection<UInt8>) {
    let storage = ByteStorage(capacity: elements.count)
    let target = UnsafeMutableRawBufferPointer(start: storage.base, count: elements.count)
    target.copyBytes(from: elements)
    self.init(storage: storage, offset: 0, count: elements.count)
  }

  /// The UTF-8 of `string`.
  public init(_ string: some StringProtocol) { self.init(string.utf8) }

  /// A copy of the bytes of `span`.
  public init(copying span: borrowing Span<UInt8>) {
    self = span.withUnsafeBufferPointer { Bytes($0) }
  }

  /// The same bytes in memory of their own, as short as they are.
  public func copy() -> Bytes { Bytes(unsafeBytes) }

  /// True if `count` is zero.
  public var isEmpty: Bool { count == 0 }

  /// The byte at `index`, from zero.
  public subscript(index: Int) -> UInt8 {
    precondition(index >= 0 && index < count)
    return start.unsafelyUnwrapped.load(fromByteOffset: index, as: UInt8.self)
  }

  /// The slice from `range.lowerBound` up to `range.upperBound`, which shares the memory.
  public subscript(range: Range<Int>) -> Bytes {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    guard let start else { return self }
    return Bytes(storage: storage, start: start + range.lowerBound, count: range.count)
  }

  /// The slice from `range.lowerBound` to the end, which shares the memory.
  public subscript(range: PartialRangeFrom<Int>) -> Bytes { self[range.lowerBound..<count] }

  /// Lends the bytes to `body` as a bounds-checked view.
  @inlinable
  public func withSpan<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    try body(Span(_unsafeBytes: unsafeBytes))
  }

  /// Lends the memory itself, for C functions that `Loop` calls.
  @inlinable
  public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try body(unsafeBytes)
  }

  @inlinable
  var unsafeBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }
}

extension Sequence<Bytes> {
  /// The total length, in bytes.
  @inlinable public var byteCount: Int { reduce(0) { $0 + $1.count } }
}

extension Bytes: ExpressibleByStringLiteral {
  /// The UTF-8 of a literal.
  public init(stringLiteral value: StaticString) {
    self = value.withUTF8Buffer { Bytes($0) }
  }
}

extension Bytes: CustomStringConvertible {
  /// The bytes as text. Bytes that are not UTF-8 become U+FFFD.
  public var description: String { String(self) }
}

extension String {
  /// The bytes as text. Bytes that are not UTF-8 become U+FFFD.
  public init(_ bytes: Bytes) {
    self = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }

  /// The bytes as text; nil if they are not UTF-8.
  public init?(validating bytes: Bytes) {
    guard let text = bytes.withUnsafeBytes({ String(validating: $0, as: UTF8.self) }) else { return nil }
    self = text
  }
}

extension Array<UInt8> {
  /// A copy of the bytes.
  public init(_ bytes: Bytes) {
    self = bytes.withUnsafeBytes { Array($0) }
  }
}
