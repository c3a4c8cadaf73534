import Logging
import Loop
import Memory

/// What a process writes to a pipe, line by line in our log.
@LoopActor
final class ProcessLog {
  /// A line that is longer is no line of a log.
  private static let longestLine = 16 << 10
  /// What is kept for the message that says why a process did not start: the end of a traceback.
  private static let keptLines = 3
  /// What is in the pipe when the process has ended is read within this.
  private static let endLimit: Duration = .milliseconds(200)

  private let stream: SocketStream?
  private let logger: Logger
  private var kept: [String] = []
  private var reading: Task<Void, Never>?

  /// The last lines, joined.
  var lastLines: String { kept.joined(separator: "; ") }

  init(_ stream: SocketStream?, logger: Logger) {
    self.stream = stream
    self.logger = logger
    reading = LoopActor.task { await self.read() }
  }

  /// Reads what is there, and closes, also where somebody else holds the other end.
  func close() async {
    guard let stream, let reading else { return }
    let patience = Deadline { stream.abort() }
    patience.start(Self.endLimit)
    await reading.value
    patience.close()
    await stream.close()
  }

  private func read() async {
    guard let stream else { return }
    while (try? await stream.fill()) == true {
      while let end = stream.inbound.withSpan({ $0.indexOfNewline }) { take(end, from: stream) }
      if stream.inbound.count > Self.longestLine { take(stream.inbound.count, from: stream) }
    }
    if stream.inbound.count > 0 { take(stream.inbound.count, from: stream) }
  }

  private func take(_ length: Int, from stream: SocketStream) {
    let line = String(stream.inbound.take(length))
    if !stream.inbound.isEmpty { stream.inbound.discard(1) }
    if line.allSatisfy(\.isWhitespace) { return }
    kept = (kept + [line]).suffix(Self.keptLines)
    logger.debug("kernel: \(line)")
  }
}

extension Span<UInt8> {
  /// Where the first newline stands.
  fileprivate var indexOfNewline: Int? {
    for index in indices where self[index] == UInt8(ascii: "\n") { return index }
    return nil
  }
}
