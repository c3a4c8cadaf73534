import Logging
import Loop
import Wire

/// Writes each event as one line to standard error, at once.
///
/// swift-log's own handler asks for the local time zone at each line, which costs more than answering a small request;
/// these lines are in UTC.
struct LineLogHandler: LogHandler {
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]
  private let format: any LogLine.Type
  /// In bytes, of a message and of each field: a line of a process is passed on up to that length.
  private static let longestText = 16 << 10

  init(format: any LogLine.Type) {
    self.format = format
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let own = event.metadata ?? [:]
    let fields = (metadata.isEmpty ? own : metadata.merging(own) { $1 }).sorted { $0.key < $1.key }
      .map { (name: $0.key, value: Self.bounded($0.value.description)) }
    LogStream.standardError.write(
      format.line(
        time: Timestamp.format(WallClock.now()), level: event.level,
        message: Self.bounded(event.message.description),
        fields: fields))
  }

  /// The beginning of a text that is too long: kernels and clients have put into it what they liked.
  private static func bounded(_ text: String) -> String {
    if text.utf8.count <= longestText { return text }
    return String(decoding: text.utf8.prefix(longestText), as: UTF8.self) + "…"
  }
}

/// How an event looks on its line.
protocol LogLine: Sendable {
  /// The line, with its newline.
  static func line(
    time: String, level: Logger.Level, message: String, fields: [(name: String, value: String)]
  ) -> String
}

/// For people: `2026-01-02T03:04:05.678901Z info request method=GET path=/health status=200`.
enum TextLogLine: LogLine {
  static func line(
    time: String, level: Logger.Level, message: String, fields: [(name: String, value: String)]
  ) -> String {
    var line = "\(time) \(level.rawValue) \(printable(message))"
    for (name, value) in fields {
      line += " \(name)="
      line += value.utf8.contains(UInt8(ascii: " ")) ? "\"\(printable(value))\"" : printable(value)
    }
    return line + "\n"
  }

  /// Line feed, vertical tab, form feed and carriage return.
  private static func isLineBreak(_ byte: UInt8) -> Bool { (0x0A...0x0D).contains(byte) }

  /// One line, whatever a kernel or a client put into it.
  private static func printable(_ text: String) -> String {
    text.utf8.allSatisfy { $0 >= 0x20 }
      ? text : String(decoding: text.utf8.map { isLineBreak($0) ? 0x20 : $0 }, as: UTF8.self)
  }
}
