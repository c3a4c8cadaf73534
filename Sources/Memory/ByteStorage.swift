/// Memory that `Bytes` values share: whoever slices it keeps it alive.
///
/// What has been handed out as `Bytes` is never written again, which is what makes sharing it safe. Subclasses
/// give memory that somebody else allocated (a ZeroMQ message part) the same life: they free it in `deinit`.
open class ByteStorage: @unchecked Sendable {
  /// The first byte.
  public let base: UnsafeMutableRawPointer
  /// The bytes there are, written or not.
  public let capacity: Int
  private let isOwned: Bool

  /// Allocates `capacity` bytes, not initialised.
  public init(capacity: Int) {
    self.capacity = capacity
    self.base = .allocate(byteCount: max(capacity, 1), alignment: 1)
    self.isOwned = true
  }

  /// Adopts memory that a subclass frees.
  public init(adopting base: UnsafeMutableRawPointer, count: Int) {
    self.base = base
    self.capacity = count
    self.isOwned = false
  }

  deinit {
    if isOwned { base.deallocate() }
  }
}
