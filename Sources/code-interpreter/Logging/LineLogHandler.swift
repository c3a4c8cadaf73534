import Logging
import Loop
import Wire
import Bytes
import ArgumentParser

/// Writes each event as one line to standard error, at once.
///
/// swift-log's own handler looks up the local time zone for each line, which costs more than answering a small request. These
/// lines have times in UTC.
struct LineLogHandler: LogHandler {
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]
  private let format: LogFormat
  /// How many bytes of a message and of each field are logged. Lines from processes have at most as many.
  private static let longestText = 16 << 10

  init(format: LogFormat) {
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

  /// The beginning of a text that is too long. Kernels and clients can put text of any length into messages and fields.
  private static func bounded(_ text: String) -> String {
    if text.utf8.count <= longestText { return text }
    return String(decoding: text.utf8.prefix(longestText), as: UTF8.self) + "…"
  }
}

/// The format of log lines.
enum LogFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json

  /// A logger that writes to standard error.
  func logger(level: Logger.Level) -> Logger {
    var logger = Logger(label: "code-interpreter") { _ in LineLogHandler(format: self) }
    logger.logLevel = level
    return logger
  }

  /// The line, with its newline.
  fileprivate func line(
    time: String, level: Logger.Level, message: String, fields: [(name: String, value: String)]
  ) -> String {
    switch self {
    case .text: Self.text(time, level, message, fields)
    case .json: Self.json(time, level, message, fields)
    }
  }

  /// For people: `2026-01-02T03:04:05.678901Z info request method=GET path=/health status=200`.
  private static func text(
    _ time: String, _ level: Logger.Level, _ message: String, _ fields: [(name: String, value: String)]
  ) -> String {
    var line = "\(time) \(level.rawValue) \(printable(message))"
    for (name, value) in fields {
      line += " \(name)="
      line += value.utf8.contains(UInt8(ascii: " ")) ? "\"\(printable(value))\"" : printable(value)
    }
    return line + "\n"
  }

  /// For machines that collect logs: one JSON object a line.
  private static func json(
    _ time: String, _ level: Logger.Level, _ message: String, _ fields: [(name: String, value: String)]
  ) -> String {
    var json = JSONWriter()
    json.value(
      [
        (name: "time", value: time), (name: "level", value: level.rawValue),
        (name: "message", value: message),
      ]
        + fields)
    json.endLine()
    return String(json.takeAll())
  }

  /// Line feed, vertical tab, form feed and carriage return.
  private static func isLineBreak(_ byte: UInt8) -> Bool { (0x0A...0x0D).contains(byte) }

  /// The text on one line: a kernel or a client may have put line breaks into it.
  private static func printable(_ text: String) -> String {
    text.utf8.allSatisfy { $0 >= 0x20 }
      ? text : String(decoding: text.utf8.map { isLineBreak($0) ? 0x20 : $0 }, as: UTF8.self)
  }
}
