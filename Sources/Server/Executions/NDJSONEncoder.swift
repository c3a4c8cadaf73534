import Bytes
import Wire

/// Writes `OutputEvent`s as lines of JSON in ASCII, around slices of the bytes that the kernel sent.
enum NDJSONEncoder {
  /// The MIME types with members of their own, in the order in which they are written.
  private static let members: [(type: String, key: StaticString)] = [
    ("text/plain", "text"), ("text/html", "html"), ("text/markdown", "markdown"), ("image/svg+xml", "svg"),
    ("image/png", "png"), ("image/jpeg", "jpeg"), ("application/pdf", "pdf"), ("text/latex", "latex"),
    ("application/json", "json"), ("application/javascript", "javascript"),
  ]
  /// The MIME types whose members are absent where there is none: those of E2B's clients.
  private static let optionalMembers: [(type: String, key: StaticString)] = [
    ("e2b/data", "data"), ("e2b/chart", "chart"),
  ]
  /// The registered name of JavaScript (RFC 9239), which bash_kernel uses; Jupyter uses the name that RFC 9239 has made obsolete.
  private static let javascript = "text/javascript"

  /// The line of `event`, its newline included, in consecutive pieces.
  static func line(_ event: OutputEvent) -> [Bytes] {
    var json = JSONWriter()
    json.object { write(event, to: &$0) }
    json.endLine()
    return json.takePieces()
  }

  private static func write(_ event: OutputEvent, to json: inout JSONWriter) {
    json.key("type")
    switch event {
    case .contextRestarted(let reason):
      json.value(literal: "context_restarted")
      json.key("reason")
      json.value(contents: JSONString.asciiLine(contents: JSONString.contents(of: reason)))
    case .accepted(let count):
      json.value(literal: "number_of_executions")
      json.key("execution_count")
      json.value(count)
    case .stream(let name, let text, let timestamp):
      json.value(literal: name == .stdout ? "stdout" : "stderr")
      json.key("text")
      json.value(contents: JSONString.asciiLine(contents: text))
      json.key("timestamp")
      json.value(contents: timestamp)
    case .result(let data, let isMain, let displayID):
      json.value(literal: "result")
      write(data, isMain: isMain, displayID, to: &json)
    case .displayUpdate(let data, let displayID):
      json.value(literal: "display_update")
      write(data, isMain: false, displayID, to: &json)
    case .clearOutput(let waits):
      json.value(literal: "clear_output")
      json.key("wait")
      json.value(waits)
    case .inputRequest(let prompt, let isPassword):
      json.value(literal: "input_request")
      json.key("prompt")
      json.value(contents: JSONString.asciiLine(contents: prompt))
      json.key("password")
      json.value(isPassword)
    case .outputTruncated(let name, let omittedBytes):
      json.value(literal: "output_truncated")
      json.key("stream")
      json.value(name.rawValue)
      json.key("omitted_bytes")
      json.value(omittedBytes)
    case .error(let name, let value, let traceback):
      json.value(literal: "error")
      json.key("name")
      json.value(contents: plain(name))
      json.key("value")
      json.value(contents: plain(value))
      json.key("traceback")
      json.value(contents: plain(JSONString.join(lines: traceback)))
    case .end:
      json.value(literal: "end_of_execution")
    }
  }

  private static func plain(_ contents: Bytes) -> Bytes {
    JSONString.asciiLine(contents: JSONString.withoutTerminalControls(contents: contents))
  }

  /// Writes the members that follow the type of a line that shows a MIME bundle.
  private static func write(
    _ data: JSONSlice, isMain: Bool, _ displayID: Bytes?, to json: inout JSONWriter
  ) {
    var known = [JSONSlice?](repeating: nil, count: members.count)
    var others: [(key: JSONSlice, value: JSONSlice)] = []
    data.forEachMember { key, value in
      if let index = members.firstIndex(where: { key.isString($0.type) }) {
        known[index] = value
      } else {
        others.append((key, value))
      }
    }
    if known[members.count - 1] == nil, let index = others.firstIndex(where: { $0.key.isString(javascript) })
    {
      known[members.count - 1] = others.remove(at: index).value
    }
    if let displayID {
      json.key("display_id")
      json.value(contents: JSONString.asciiLine(contents: displayID))
    }
    json.key("is_main_result")
    json.value(isMain)
    for (index, value) in known.enumerated() {
      json.key(members[index].key)
      write(value, isText: index == 0, to: &json)
    }
    for (type, key) in optionalMembers {
      guard let index = others.firstIndex(where: { $0.key.isString(type) }) else { continue }
      json.key(key)
      json.value(json: others.remove(at: index).value.asciiLine)
    }
    if others.isEmpty { return }
    json.key("extra")
    json.object { json in
      for (key, value) in others {
        json.key(json: key.asciiLine)
        json.value(json: value.asciiLine)
      }
    }
  }

  private static func write(_ value: JSONSlice?, isText: Bool, to json: inout JSONWriter) {
    guard let value else { return json.null() }
    guard isText, value.kind == .string else { return json.value(json: value.asciiLine) }
    let contents = JSONString.asciiLine(contents: value.stringContents)
    json.value(contents: JSONString.dropEnclosingQuotes(contents: contents))
  }
}
