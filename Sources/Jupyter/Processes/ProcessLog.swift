import Logging
import Loop
import Bytes
import Bytes

/// Logs what a process writes to a pipe, and keeps its last lines for error messages.
@LoopActor
final class ProcessLog {
  /// Longer lines are split, in bytes.
  private static let longestLine = 16 << 10
  /// The number of lines kept: the end of a traceback.
  private static let keptLines = 3
  /// How long to read the rest of the pipe after the end of the process.
  private static let endLimit: Duration = .milliseconds(200)

  private let stream: SocketStream?
  private let logger: Logger
  private let level: Logger.Level
  private let source: String
  private var kept: [String] = []
  private var reading: Task<Void, Never>?

  /// The last lines, joined.
  var lastLines: String { kept.joined(separator: "; ") }

  init(
    _ stream: SocketStream?, source: String = "kernel", level: Logger.Level = .debug, logger: Logger
  ) {
    self.stream = stream
    self.logger = logger
    self.level = level
    self.source = source
    reading = LoopActor.task { await self.read() }
  }

  /// Reads the rest and closes, even if another process still holds the other end.
  func close() async {
    guard let stream, let reading else { return }
    let deadline = Deadline { stream.abort() }
    deadline.start(Self.endLimit)
    await reading.value
    deadline.close()
    await stream.close()
  }

  private func read() async {
    guard let stream else { return }
    let lines = LineReader(stream: stream, longestLine: Self.longestLine)
    while let line = await lines.next() { take(line) }
  }

  private func take(_ bytes: Bytes) {
    if bytes.allSatisfy({ $0 <= 0x20 }) { return }
    let line = String(bytes)
    kept = (kept + [line]).suffix(Self.keptLines)
    logger.log(level: level, "\(source): \(line)")
  }
}
