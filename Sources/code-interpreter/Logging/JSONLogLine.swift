import Logging
import Bytes
import Wire

/// For machines that collect logs: one JSON object a line.
enum JSONLogLine: LogLine {
  static func line(
    time: String, level: Logger.Level, message: String, fields: [(name: String, value: String)]
  ) -> String {
    let all = [("time", time), ("level", level.rawValue), ("message", message)] + fields
    return "{" + all.map { "\(JSONString.quote($0.0)):\(JSONString.quote($0.1))" }.joined(separator: ",")
      + "}\n"
  }
}
