/// A queue of bytes: they are appended at the end and taken from the front without a copy.
///
/// A socket reads into the free tail. A parser reads the readable bytes and takes complete units as `Bytes`, which share the
/// buffer's memory. An empty buffer holds no memory, so that an idle connection has none.
public struct ByteBuffer: ~Copyable, Sendable {
  private var storage: ByteStorage?
  private var readerIndex = 0
  private var writerIndex = 0

  /// An empty buffer without memory.
  public init() {}

  /// A buffer that holds a copy of `elements`.
  public init(_ elements: some Collection<UInt8>) { append(contentsOf: elements) }

  /// The number of readable bytes.
  public var count: Int { writerIndex - readerIndex }

  /// True if no byte is readable.
  public var isEmpty: Bool { readerIndex == writerIndex }

  /// The readable bytes; they stay in the buffer.
  public var readable: Bytes {
    guard let storage, !isEmpty else { return Bytes() }
    return Bytes(storage: storage, offset: readerIndex, count: count)
  }

  /// The readable byte at `index`, from zero at the front.
  public subscript(index: Int) -> UInt8 {
    precondition(index >= 0 && index < count)
    return (storage.unsafelyUnwrapped.base + readerIndex).load(fromByteOffset: index, as: UInt8.self)
  }

  /// Lends the readable bytes to `body` as a bounds-checked view.
  public func withSpan<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    let start = storage.map { UnsafeRawPointer($0.base) + readerIndex }
    return try body(Span(_unsafeBytes: UnsafeRawBufferPointer(start: start, count: count)))
  }

  /// Takes `length` bytes from the front, without a copy.
  public mutating func take(_ length: Int) -> Bytes {
    precondition(length >= 0 && length <= count)
    guard let storage, length > 0 else { return Bytes() }
    let taken = Bytes(storage: storage, offset: readerIndex, count: length)
    discard(length)
    return taken
  }

  /// Takes all readable bytes.
  public mutating func takeAll() -> Bytes { take(count) }

  /// Drops `length` bytes at the front.
  public mutating func discard(_ length: Int) {
    precondition(length >= 0 && length <= count)
    readerIndex += length
    if isEmpty { releaseMemory() }
  }

  /// Appends a copy of `elements`.
  public mutating func append(contentsOf elements: some Collection<UInt8>) {
    let length = elements.count
    guard length > 0 else { return }
    reserve(length)
    withFreeTail { $0.copyBytes(from: elements) }
    commit(length)
  }

  /// Appends a copy of `bytes`.
  public mutating func append(_ bytes: Bytes) {
    bytes.withUnsafeBytes { append(contentsOf: $0) }
  }

  /// Appends the UTF-8 of `string`.
  public mutating func append(_ string: String) { append(contentsOf: string.utf8) }

  /// Appends one byte.
  public mutating func append(_ byte: UInt8) {
    reserve(1)
    withFreeTail { $0[0] = byte }
    commit(1)
  }

  /// Appends the lowest `byteCount` bytes of `value` in network byte order.
  public mutating func append(bigEndian value: UInt64, byteCount: Int) {
    for shift in stride(from: 8 * (byteCount - 1), through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
    }
  }

  /// Appends the lowest `byteCount` bytes of `value`, the lowest first: up to 8 bytes at the cost of one.
  public mutating func append(littleEndian value: UInt64, byteCount: Int) {
    precondition(byteCount >= 0 && byteCount <= 8)
    reserve(8)
    withFreeTail { $0.storeBytes(of: value.littleEndian, as: UInt64.self) }
    commit(byteCount)
  }

  /// Makes the free tail at least `length` bytes long. If the memory is too short, the readable bytes are copied once, into
  /// new memory.
  public mutating func reserve(_ length: Int) {
    if let storage, storage.capacity - writerIndex >= length { return }
    let doubled = storage == nil ? 0 : count.addingReportingOverflow(count).partialValue
    let replacement = ByteStorage(capacity: max(count + length, doubled))
    if let storage, !isEmpty {
      replacement.base.copyMemory(from: storage.base + readerIndex, byteCount: count)
    }
    writerIndex -= readerIndex
    readerIndex = 0
    storage = replacement
  }

  /// Lends the free tail, for `Loop` to read a socket into. `commit` makes the written bytes readable.
  public mutating func withFreeTail<R>(_ body: (UnsafeMutableRawBufferPointer) -> R) -> R {
    guard let storage else { return body(UnsafeMutableRawBufferPointer(start: nil, count: 0)) }
    return body(
      UnsafeMutableRawBufferPointer(start: storage.base + writerIndex, count: storage.capacity - writerIndex))
  }

  /// Makes the first `length` bytes of the free tail readable.
  public mutating func commit(_ length: Int) {
    precondition(length >= 0 && length <= (storage?.capacity ?? 0) - writerIndex)
    writerIndex += length
  }

  /// Frees memory of `reserve` if no byte is readable, after a read that brought nothing.
  public mutating func releaseIfEmpty() {
    if isEmpty { releaseMemory() }
  }

  private mutating func releaseMemory() {
    storage = nil
    readerIndex = 0
    writerIndex = 0
  }
}
