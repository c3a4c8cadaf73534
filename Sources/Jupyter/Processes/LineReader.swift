import Loop
import Bytes

/// What comes over a stream, line by line.
@LoopActor
struct LineReader {
  let stream: SocketStream
  /// A line that is longer comes in pieces of this.
  let longestLine: Int

  /// The next line, without its end; nil at the end of the stream, and when it is closed.
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
  /// Where the first newline stands.
  fileprivate var indexOfNewline: Int? {
    for index in indices where self[index] == UInt8(ascii: "\n") { return index }
    return nil
  }
}
