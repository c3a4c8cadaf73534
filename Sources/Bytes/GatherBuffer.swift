/// Collects pieces for a gathering write: short ones are copied into common memory, long ones are not copied.
public struct GatherBuffer: ~Copyable {
  /// The least length of a piece that is not copied. For shorter pieces a copy costs less than another piece.
  static let sharedLength = 4096
  private static let usualLength = 512

  private var pieces: [Bytes] = []
  private var tail = ByteBuffer()

  /// A buffer without memory.
  public init() {}

  /// Appends `bytes`; copies them if they are short.
  public mutating func append(_ bytes: Bytes) {
    if bytes.count < Self.sharedLength {
      makeRoom(for: bytes.count)
      tail.append(bytes)
    } else {
      closeTail()
      pieces.append(bytes)
    }
  }

  /// Appends the UTF-8 of `string`.
  public mutating func append(_ string: String) {
    makeRoom(for: string.utf8.count)
    tail.append(string)
  }

  /// Appends the UTF-8 of `string`.
  public mutating func append(literal string: StaticString) {
    string.withUTF8Buffer {
      makeRoom(for: $0.count)
      tail.append(contentsOf: $0)
    }
  }

  /// Appends one byte.
  public mutating func append(_ byte: UInt8) {
    makeRoom(for: 1)
    tail.append(byte)
  }

  /// Appends the lowest `byteCount` bytes of `value` in network byte order.
  public mutating func append(bigEndian value: UInt64, byteCount: Int) {
    makeRoom(for: byteCount)
    tail.append(bigEndian: value, byteCount: byteCount)
  }

  /// Takes all pieces.
  public mutating func takeAll() -> [Bytes] {
    closeTail()
    return exchange(&pieces, with: [])
  }

  private mutating func makeRoom(for count: Int) {
    if tail.isEmpty { tail.reserve(max(count, Self.usualLength)) }
  }

  private mutating func closeTail() {
    if !tail.isEmpty { pieces.append(tail.takeAll()) }
  }
}
