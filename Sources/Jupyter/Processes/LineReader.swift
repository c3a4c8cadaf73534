import Loop
import Bytes

/// Reads a stream line by line.
@LoopActor
struct LineReader {
  let stream: SocketStream
  /// Longer lines are split into pieces of this length, in bytes.
  let longestLine: Int

  /// The next line without its newline; nil at the end of the stream or when it is closed.
  func next() async -> Bytes? {
    while true {
      if let end = stream.inbound.withSpan({ $0.indexOfNewline }) {
        let line = stream.inbound.take(end)
        stream.inbound.discard(1)
        return line
      }
      if stream.inbound.count >= longestLine { return stream.inbound.take(longestLine) }
      if (try? await stream.fill()) != true {
        return stream.inbound.isEmpty ? nil : stream.inbound.takeAll()
      }
    }
  }
}

extension Span<UInt8> {
  /// The index of the first newline.
  fileprivate var indexOfNewline: Int? {
    for index in indices where self[index] == UInt8(ascii: "\n") { return index }
    return nil
  }
}
