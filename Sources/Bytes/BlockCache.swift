import Glibc
import Synchronization

/// Keeps freed blocks of memory for reuse while at least one instance exists.
///
/// The allocator returns freed memory to the system, which creates new pages for the next block. Two kinds of work pay
/// noticeably for that; each has its kind of block.
public final class BlockCache: Sendable {
  /// What blocks are kept for.
  public enum Kind: Sendable {
    /// Transfers of files: blocks of `transferLength` bytes. A transfer fills and frees one every 0.2 ms. In an upload
    /// of 256 MiB, new pages were 20,000 page faults and a fifth of the processor time.
    case transfer
    /// Long messages: the last block of at least `smallestLong` bytes. For a message of 64 MiB, new pages take as long
    /// as copying it, and ten times as long in a virtual machine whose host reclaims free memory: reading one took 14
    /// ms with existing pages, and 169 ms without.
    case longMessage
  }

  /// The length of blocks for transfers, in bytes.
  public static let transferLength = 256 * 1024
  /// The least length of blocks for long messages, in bytes.
  public static let smallestLong = 8 << 20
  /// The size of a huge page, in bytes. Making 16,000 pages of 4 KiB takes a third of the time in which a message of 64 MiB
  /// is received.
  private static let hugePage = 2 << 20

  // 4 MiB is as much as one transfer needs at a time.
  private static let transfers = Mutex(SpareBlocks(maximumCount: 16, longest: transferLength))
  private static let longMessages = Mutex(SpareBlocks(maximumCount: 1, longest: 128 << 20))

  private let kind: Kind

  /// Begins to keep blocks of a kind.
  public init(_ kind: Kind) {
    self.kind = kind
    Self.withSpareBlocks(of: kind) { $0.addHolder() }
  }

  deinit {
    for block in Self.withSpareBlocks(of: kind, { $0.removeHolder() }) { block.base.deallocate() }
  }

  /// Allocates at least `capacity` bytes, not initialised.
  static func allocate(_ capacity: Int) -> UnsafeMutableRawPointer {
    guard let kind = kind(of: capacity) else { return .allocate(byteCount: max(capacity, 1), alignment: 1) }
    let length = blockLength(capacity)
    let spare = withSpareBlocks(of: kind) { $0.take() }
    if let spare, spare.length == length { return spare.base }
    // A spare block of another length is freed first, so that both are never allocated together.
    spare?.base.deallocate()
    let base = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 1)
    if kind == .longMessage { preferHugePages(base, length) }
    return base
  }

  /// Keeps or frees what `allocate` returned for that capacity.
  static func release(_ base: UnsafeMutableRawPointer, capacity: Int) {
    guard let kind = kind(of: capacity) else { return base.deallocate() }
    let block = Block(base: base, length: blockLength(capacity))
    withSpareBlocks(of: kind) { $0.keep(block) }?.base.deallocate()
  }

  /// The kind of a block for `capacity` bytes; nil if it is not kept.
  private static func kind(of capacity: Int) -> Kind? {
    if capacity >= smallestLong { return .longMessage }
    return capacity == transferLength ? .transfer : nil
  }

  /// Long blocks are whole huge pages, so that messages of nearly the same length fit into the same block.
  static func blockLength(_ capacity: Int) -> Int {
    guard capacity >= smallestLong else { return capacity }
    let (sum, isTooLarge) = capacity.addingReportingOverflow(hugePage - 1)
    return isTooLarge ? capacity : sum / hugePage * hugePage
  }

  /// Requests huge pages where they lie wholly in this memory; systems without them use small ones.
  private static func preferHugePages(_ base: UnsafeMutableRawPointer, _ length: Int) {
    let start = base.alignedUp(toMultipleOf: hugePage)
    let end = (base + length).alignedDown(toMultipleOf: hugePage)
    if start < end { madvise(start, end - start, MADV_HUGEPAGE) }
  }

  private static func withSpareBlocks<R: Sendable>(
    of kind: Kind, _ body: (inout sending SpareBlocks) -> sending R
  ) -> R {
    switch kind {
    case .transfer: transfers.withLock(body)
    case .longMessage: longMessages.withLock(body)
    }
  }
}

/// A block of memory. `@unchecked Sendable`: it has one owner, which passes it on as a whole.
struct Block: Equatable, @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  /// In bytes.
  let length: Int
}

/// The spare blocks of one kind.
struct SpareBlocks: Sendable {
  /// The limit of spare blocks.
  let maximumCount: Int
  /// Longer blocks are not kept; in bytes.
  let longest: Int

  private var holderCount = 0
  private var blocks: [Block] = []

  init(maximumCount: Int, longest: Int) {
    self.maximumCount = maximumCount
    self.longest = longest
  }

  mutating func addHolder() { holderCount += 1 }

  /// Returns the block that was used last.
  mutating func take() -> Block? { blocks.popLast() }

  /// Keeps `block`. Returns the block to free: the oldest one, or this one if it is not kept.
  mutating func keep(_ block: Block) -> Block? {
    guard holderCount > 0, block.length <= longest else { return block }
    blocks.append(block)
    return blocks.count > maximumCount ? blocks.removeFirst() : nil
  }

  /// Returns the blocks to free, as there are no users any more.
  mutating func removeHolder() -> [Block] {
    holderCount -= 1
    guard holderCount == 0 else { return [] }
    return exchange(&blocks, with: [])
  }
}
