import Logging
import Bytes
import Wire

/// For machines that collect logs: one JSON object a line.
enum JSONLogLine: LogLine {
  static func line(
    time: String, level: Logger.Level, message: String, fields: [(name: String, value: String)]
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
}
