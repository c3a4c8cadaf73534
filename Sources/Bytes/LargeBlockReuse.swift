import Glibc
import Synchronization

/// The last large block of memory is used again, as long as somebody holds one of these.
///
/// The system makes a page when it is first touched. For a message of 64 MiB that takes as long as to copy it, and ten
/// times as long in a virtual machine whose host takes back what is free: reading one took 14 ms or 169 there.
public final class LargeBlockReuse: Sendable {
  /// What is at least so long is a large block.
  public static let smallestBlock = 8 << 20
  /// What the system makes at a time where it is asked to. To make 16,000 pages of 4 KiB takes a third of the time in
  /// which a message of 64 MiB is received.
  private static let largePage = 2 << 20

  private static let spare = Mutex(SpareLargeBlock())

  /// Begins to keep a block.
  public init() {
    LargeBlockReuse.spare.withLock { $0.holderCount += 1 }
  }

  deinit { LargeBlockReuse.spare.withLock { $0.removeHolder() }?.base.deallocate() }

  /// Memory of at least `capacity` bytes, not initialised.
  static func allocate(_ capacity: Int) -> UnsafeMutableRawPointer {
    let length = reservedLength(capacity)
    let block = spare.withLock { $0.take() }
    if let block, block.length == length { return block.base }
    // Before there is another: who keeps both has to have room for both.
    block?.base.deallocate()
    let base = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 1)
    preferLargePages(base, length)
    return base
  }

  /// Keeps or frees what `allocate` returned for that capacity.
  static func release(_ base: UnsafeMutableRawPointer, capacity: Int) {
    let block = LargeBlock(base: base, length: reservedLength(capacity))
    spare.withLock { $0.keep(block) }?.base.deallocate()
  }

  /// Messages that are nearly as long fit into the same block.
  static func reservedLength(_ capacity: Int) -> Int {
    let (sum, isTooLarge) = capacity.addingReportingOverflow(largePage - 1)
    return isTooLarge ? capacity : sum / largePage * largePage
  }

  /// Asks for large pages where they lie wholly in this memory; a system that has none goes on with small ones.
  private static func preferLargePages(_ base: UnsafeMutableRawPointer, _ length: Int) {
    let start = base.alignedUp(toMultipleOf: largePage)
    let end = (base + length).alignedDown(toMultipleOf: largePage)
    if start < end { madvise(start, end - start, MADV_HUGEPAGE) }
  }
}

/// A block of memory. `@unchecked Sendable`: nobody else has it.
struct LargeBlock: Equatable, @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  /// In bytes.
  let length: Int
}

/// The block that waits to be used again.
struct SpareLargeBlock: Sendable {
  /// Longer ones are not kept.
  static let longestKept = 128 << 20

  var holderCount = 0
  private var block: LargeBlock?

  /// Hands the block out, whatever its length.
  mutating func take() -> LargeBlock? {
    defer { block = nil }
    return block
  }

  /// Takes `block` over. Returns what is to be freed: the one before it, or this one where nobody wants it.
  mutating func keep(_ block: LargeBlock) -> LargeBlock? {
    guard holderCount > 0, block.length <= Self.longestKept else { return block }
    defer { self.block = block }
    return self.block
  }

  /// Returns what is to be freed as nobody is left who would use it.
  mutating func removeHolder() -> LargeBlock? {
    holderCount -= 1
    return holderCount == 0 ? take() : nil
  }
}
