import Logging
import Bytes
import Wire

/// For machines that collect logs: one JSON object a line.
enum JSONLogLine: LogLine {
  static func line(
    time: String, level: Logger.Level, message: String, fields: [(name: String, value: String)]
  ) -> String {
    var json = JSONWriter()
    json.object { json in
      for (name, value) in [("time", time), ("level", level.rawValue), ("message", message)] + fields {
        json.key(text: name)
        json.value(value)
      }
    }
    json.endLine()
    return String(json.takeAll())
  }
}
