import Glibc

/// Memory that `Bytes` values share: whoever slices it keeps it alive.
///
/// What has been handed out as `Bytes` is never written again, which is what makes sharing it safe.
public final class ByteStorage: @unchecked Sendable {
  /// The first byte.
  public let base: UnsafeMutableRawPointer
  /// The bytes there are, written or not.
  public let capacity: Int

  /// Allocates `capacity` bytes, not initialised.
  public init(capacity: Int) {
    self.capacity = capacity
    self.base = BlockReuse.allocate(capacity)
    if capacity >= Self.largePagesFrom { preferLargePages() }
  }

  /// What is so long has the system make its pages 2 MiB at a time: to make 16,000 of 4 KiB takes a third of the time in
  /// which a message of 64 MiB is received.
  private static let largePagesFrom = 8 << 20
  private static let largePage = 2 << 20

  /// Asks for large pages where they lie wholly in this memory; a system that has none goes on with small ones.
  private func preferLargePages() {
    let start = base.alignedUp(toMultipleOf: Self.largePage)
    let end = (base + capacity).alignedDown(toMultipleOf: Self.largePage)
    if start < end { madvise(start, end - start, MADV_HUGEPAGE) }
  }

  deinit { BlockReuse.release(base, capacity: capacity) }
}
