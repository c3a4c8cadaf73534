import ArgumentParser
import Logging

/// The format of log lines.
enum LogFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json

  /// A logger that writes to standard error.
  func logger(level: Logger.Level) -> Logger {
    var logger = Logger(label: "code-interpreter") { _ in
      switch self {
      case .text: LineLogHandler(format: TextLogLine.self)
      case .json: LineLogHandler(format: JSONLogLine.self)
      }
    }
    logger.logLevel = level
    return logger
  }
}
