import Synchronization

/// Blocks of memory that were used are used again, as long as somebody holds one of these.
///
/// A transfer fills and frees a block every 0.2 ms. The allocator gives the memory back to the system each time, which
/// makes its pages anew: 20,000 page faults, and a fifth of the processor time, in an upload of 256 MiB.
public final class BlockReuse: Sendable {
  /// How long the blocks are that this is about.
  public static let blockSize = 256 * 1024

  private static let spare = Mutex(SpareBlocks())

  /// Begins to keep blocks.
  public init() {
    BlockReuse.spare.withLock { $0.holderCount += 1 }
  }

  deinit {
    for block in BlockReuse.spare.withLock({ $0.removeHolder() }) { block.deallocate() }
  }

  /// Memory of `capacity` bytes, not initialised.
  static func allocate(_ capacity: Int) -> UnsafeMutableRawPointer {
    let block = capacity == blockSize ? spare.withLock { $0.blocks.popLast() } : nil
    return block ?? .allocate(byteCount: max(capacity, 1), alignment: 1)
  }

  /// Keeps or frees what `allocate` returned.
  static func release(_ base: UnsafeMutableRawPointer, capacity: Int) {
    nonisolated(unsafe) let block = base
    if capacity == blockSize, spare.withLock({ $0.keep(block) }) { return }
    base.deallocate()
  }
}

/// The blocks that wait to be used again. `@unchecked Sendable`: nobody else has them.
struct SpareBlocks: @unchecked Sendable {
  /// What is kept at most: 4 MiB, as much as one transfer needs at a time.
  static let maximumCount = 16

  var blocks: [UnsafeMutableRawPointer] = []
  var holderCount = 0

  /// Takes a block over; false where nobody wants it.
  mutating func keep(_ block: UnsafeMutableRawPointer) -> Bool {
    guard holderCount > 0, blocks.count < Self.maximumCount else { return false }
    blocks.append(block)
    return true
  }

  /// What is to be freed as nobody is left who would use it.
  mutating func removeHolder() -> [UnsafeMutableRawPointer] {
    holderCount -= 1
    guard holderCount == 0 else { return [] }
    defer { blocks = [] }
    return blocks
  }
}
