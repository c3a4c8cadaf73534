/// Memory that `Bytes` values share: whoever slices it keeps it alive.
///
/// What has been handed out as `Bytes` is never written again, which is what makes sharing it safe.
public final class ByteStorage: @unchecked Sendable {
  /// The first byte.
  public let base: UnsafeMutableRawPointer
  /// The bytes there are, written or not.
  public let capacity: Int
  /// Whose memory it is, where it is not ours.
  private let owner: (any AnyObject & Sendable)?

  /// Allocates `capacity` bytes, not initialised.
  public init(capacity: Int) {
    self.capacity = capacity
    self.owner = nil
    self.base = BlockCache.allocate(capacity)
  }

  /// Shares `count` bytes of memory that `owner` keeps, and does not change, as long as it lives.
  public init(adopting base: UnsafeMutableRawPointer, count: Int, of owner: any AnyObject & Sendable) {
    self.base = base
    self.capacity = count
    self.owner = owner
  }

  deinit {
    if owner == nil { BlockCache.release(base, capacity: capacity) }
  }
}
