import Loop
import Bytes

extension Message {
  /// The message in `frame`. A long one is read on another thread; a caller that keeps the order of a kernel's messages waits
  /// for it before it reads the next.
  ///
  /// - Throws: `MessageError`, `CancellationError`.
  @LoopActor
  static func read(_ frame: KernelFrame) async throws -> Message {
    try await Computation.run(over: frame.content.count) {
      try Message(
        channel: frame.channel, header: frame.header, parentHeader: frame.parentHeader,
        metadata: frame.metadata, content: frame.content)
    }
  }
}
