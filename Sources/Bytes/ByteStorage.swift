/// Memory that `Bytes` values share and keep alive.
///
/// Memory that was handed out as `Bytes` is never written again, so that sharing it is safe.
public final class ByteStorage: @unchecked Sendable {
  /// The address of the first byte.
  public let base: UnsafeMutableRawPointer
  /// The number of bytes, initialised or not.
  let capacity: Int
  /// The owner of memory that was not allocated here.
  private let owner: (any AnyObject & Sendable)?

  /// Allocates `capacity` bytes, not initialised.
  public init(capacity: Int) {
    self.capacity = capacity
    self.owner = nil
    self.base = BlockCache.allocate(capacity)
  }

  /// Shares `count` bytes of memory that `owner` keeps alive and does not change.
  public init(adopting base: UnsafeMutableRawPointer, count: Int, of owner: any AnyObject & Sendable) {
    self.base = base
    self.capacity = count
    self.owner = owner
  }

  deinit {
    if owner == nil { BlockCache.release(base, capacity: capacity) }
  }
}
