import Bytes

/// Keeps the memory of a long message for the next one, for a while.
@LoopActor
final class LargeReads {
  /// How long after a message was announced. Who shows large results one after the other does so within seconds; in
  /// between others want the memory.
  static let keepingTime: Duration = .seconds(5)

  private var reuse: LargeBlockReuse?
  private lazy var expiry = Deadline { [weak self] in self?.reuse = nil }

  /// A long message comes.
  func begin() {
    reuse = reuse ?? LargeBlockReuse()
    expiry.start(Self.keepingTime)
  }

  func close() {
    expiry.close()
    reuse = nil
  }
}

extension SocketStream {
  func keepLargeMemory() {
    let reads = input.largeReads ?? LargeReads()
    input.largeReads = reads
    reads.begin()
  }
}
