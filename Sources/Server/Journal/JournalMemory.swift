import Bytes
import DequeModule

/// The bytes of a journal that are in memory: the last ones, without gaps.
struct JournalMemory: ~Copyable {
  private struct Block {
    let offset: Int64
    let bytes: Bytes
    var end: Int64 { offset + Int64(bytes.count) }
  }

  /// Lines are gathered in blocks of this length, in bytes.
  private static let blockLength = 64 << 10
  /// The first memory of a journal, in bytes. Most executions print little.
  private static let firstLength = 512
  /// A piece of at least this length keeps the memory that it came in. It leaves for the file at once.
  private static let sharedLength = 1 << 20

  private var blocks: Deque<Block> = []
  private var tail = ByteBuffer()
  /// The offset of the first byte in memory.
  private(set) var start: Int64 = 0
  /// The offset behind the last byte.
  private(set) var end: Int64 = 0

  /// How many bytes are in memory.
  var count: Int { Int(clamping: end - start) }

  /// Appends a line.
  mutating func append(_ pieces: [Bytes]) {
    let length = pieces.byteCount
    // A line that fits in one read is not divided, see `Journal.read`.
    let isWhole = length <= Journal.readLength
    if tail.count + length > Self.blockLength { closeTail() }
    for piece in pieces {
      if !isWhole, tail.count + piece.count > Self.blockLength { closeTail() }
      if piece.count >= Self.sharedLength {
        blocks.append(Block(offset: end, bytes: piece))
      } else {
        if tail.isEmpty { tail.reserve(end == 0 ? Self.firstLength : isWhole ? length : piece.count) }
        tail.append(piece)
      }
      end += Int64(piece.count)
    }
  }

  /// The bytes from `offset` to the end of their block, at most `limit`. `offset` must be in memory.
  ///
  /// Those of a block that is longer are a copy: a slice would keep the whole block in memory for as long as a client does not
  /// read it, and each of many clients may keep another one.
  func bytes(from offset: Int64, atMost limit: Int) -> Bytes {
    let block = block(at: offset)
    let rest = block.bytes[Int(offset - block.offset)...]
    return block.bytes.count > limit ? rest[0..<min(rest.count, limit)].copy() : rest
  }

  /// The block that has the byte at `offset`.
  private func block(at offset: Int64) -> Block {
    let tailStart = end - Int64(tail.count)
    if offset >= tailStart { return Block(offset: tailStart, bytes: tail.readable) }
    var low = 0, high = blocks.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if blocks[middle].offset <= offset { low = middle } else { high = middle }
    }
    return blocks[low]
  }

  /// All bytes from `offset` to the end, for the file.
  mutating func pieces(from offset: Int64) -> [Bytes] {
    closeTail()
    return blocks.filter { $0.offset >= offset }.map(\.bytes)
  }

  /// Frees all blocks that end at `offset` or before.
  mutating func free(upTo offset: Int64) {
    while let block = blocks.first, block.end <= offset { blocks.removeFirst() }
    start = blocks.first?.offset ?? (end - Int64(tail.count))
  }

  private mutating func closeTail() {
    guard !tail.isEmpty else { return }
    let bytes = tail.takeAll()
    blocks.append(Block(offset: end - Int64(bytes.count), bytes: bytes))
  }
}
