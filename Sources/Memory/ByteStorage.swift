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
    self.base =
      capacity < LargeBlockReuse.smallestBlock
      ? BlockReuse.allocate(capacity) : LargeBlockReuse.allocate(capacity)
  }

  deinit {
    if capacity < LargeBlockReuse.smallestBlock {
      BlockReuse.release(base, capacity: capacity)
    } else {
      LargeBlockReuse.release(base, capacity: capacity)
    }
  }
}
