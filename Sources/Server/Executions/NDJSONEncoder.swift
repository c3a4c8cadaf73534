import Bytes
import Wire

/// Writes `OutputEvent`s as lines of JSON in ASCII: short text of ours around slices of the bytes that the kernel sent.
enum NDJSONEncoder {
  /// The MIME types that have fields of their own, in the order in which they are written.
  private static let fields: [(type: String, key: String)] = [
    ("text/plain", ",\"text\":"), ("text/html", ",\"html\":"), ("text/markdown", ",\"markdown\":"),
    ("image/svg+xml", ",\"svg\":"), ("image/png", ",\"png\":"), ("image/jpeg", ",\"jpeg\":"),
    ("application/pdf", ",\"pdf\":"), ("text/latex", ",\"latex\":"), ("application/json", ",\"json\":"),
    ("application/javascript", ",\"javascript\":"),
  ]
  /// The registered name of JavaScript (RFC 9239), which bash_kernel uses; Jupyter uses the name that RFC 9239 has made obsolete.
  private static let javascript = "text/javascript"

  /// The line of `event`, its newline included, in consecutive pieces.
  static func line(_ event: OutputEvent) -> [Bytes] {
    var line = GatherBuffer()
    switch event {
    case .contextRestarted(let reason):
      line.append("{\"type\":\"context_restarted\",\"reason\":\"")
      line.append(JSONString.asciiLine(contents: JSONString.contents(of: reason)))
      line.append("\"")
    case .accepted(let count):
      line.append("{\"type\":\"number_of_executions\",\"execution_count\":")
      line.append(String(count))
    case .stream(let name, let text, let timestamp):
      append(name, text, timestamp, to: &line)
    case .result(let data, let isMain, let displayID):
      line.append("{\"type\":\"result\"")
      append(data, isMain: isMain, displayID, to: &line)
    case .displayUpdate(let data, let displayID):
      line.append("{\"type\":\"display_update\"")
      append(data, isMain: false, displayID, to: &line)
    case .clearOutput(let waits):
      line.append(
        waits ? "{\"type\":\"clear_output\",\"wait\":true" : "{\"type\":\"clear_output\",\"wait\":false")
    case .error(let name, let value, let traceback):
      append(name, value, traceback, to: &line)
    case .end:
      line.append("{\"type\":\"end_of_execution\"")
    }
    line.append("}\n")
    return line.takeAll()
  }

  private static func append(
    _ name: StreamName, _ text: Bytes, _ timestamp: Bytes, to line: inout GatherBuffer
  ) {
    switch name {
    case .stdout: line.append("{\"type\":\"stdout\",\"text\":\"")
    case .stderr: line.append("{\"type\":\"stderr\",\"text\":\"")
    }
    line.append(JSONString.asciiLine(contents: text))
    line.append("\",\"timestamp\":\"")
    line.append(timestamp)
    line.append("\"")
  }

  private static func append(
    _ name: Bytes, _ value: Bytes, _ traceback: [Bytes], to line: inout GatherBuffer
  ) {
    line.append("{\"type\":\"error\",\"name\":\"")
    line.append(plain(name))
    line.append("\",\"value\":\"")
    line.append(plain(value))
    line.append("\",\"traceback\":\"")
    line.append(plain(JSONString.join(lines: traceback)))
    line.append("\"")
  }

  private static func plain(_ contents: Bytes) -> Bytes {
    JSONString.asciiLine(contents: JSONString.withoutTerminalControls(contents: contents))
  }

  /// What follows the type of a line that shows a MIME bundle.
  private static func append(
    _ data: JSONSlice, isMain: Bool, _ displayID: Bytes?, to line: inout GatherBuffer
  ) {
    var known = [JSONSlice?](repeating: nil, count: fields.count)
    var others: [(key: JSONSlice, value: JSONSlice)] = []
    data.forEachMember { key, value in
      if let index = fields.firstIndex(where: { key.isString($0.type) }) {
        known[index] = value
      } else {
        others.append((key, value))
      }
    }
    if known[fields.count - 1] == nil, let index = others.firstIndex(where: { $0.key.isString(javascript) }) {
      known[fields.count - 1] = others.remove(at: index).value
    }
    if let displayID {
      line.append(",\"display_id\":\"")
      line.append(JSONString.asciiLine(contents: displayID))
      line.append("\"")
    }
    line.append(isMain ? ",\"is_main_result\":true" : ",\"is_main_result\":false")
    for (index, value) in known.enumerated() {
      line.append(fields[index].key)
      append(value, isText: index == 0, to: &line)
    }
    appendExtra(others, to: &line)
  }

  private static func append(_ value: JSONSlice?, isText: Bool, to line: inout GatherBuffer) {
    guard let value else { return line.append("null") }
    guard isText, value.kind == .string else { return line.append(value.asciiLine) }
    let contents = JSONString.asciiLine(contents: value.stringContents)
    line.append("\"")
    line.append(JSONString.dropEnclosingQuotes(contents: contents))
    line.append("\"")
  }

  private static func appendExtra(
    _ members: [(key: JSONSlice, value: JSONSlice)], to line: inout GatherBuffer
  ) {
    guard !members.isEmpty else { return }
    var separator = ",\"extra\":{"
    for (key, value) in members {
      line.append(separator)
      line.append(key.asciiLine)
      line.append(":")
      line.append(value.asciiLine)
      separator = ","
    }
    line.append("}")
  }
}
