import Logging
import Loop
import Bytes
import Bytes

/// What a process writes to a pipe, line by line in our log, and its last words for whoever asks.
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
