import Memory
import Wire

/// Writes `OutputEvent`s as lines of NDJSON: small text of ours around slices of the kernel's own bytes.
enum OutputEncoder {
  /// The MIME types that have fields of their own, in the order in which they are written.
  private static let fields: [(type: String, name: String)] = [
    ("text/plain", "text"), ("text/html", "html"), ("text/markdown", "markdown"), ("image/svg+xml", "svg"),
    ("image/png", "png"), ("image/jpeg", "jpeg"), ("application/pdf", "pdf"), ("text/latex", "latex"),
    ("application/json", "json"), ("application/javascript", "javascript"),
  ]

  /// The line of `event`, its newline included, in pieces that belong behind one another.
  static func line(_ event: OutputEvent) -> [Bytes] {
    switch event {
    case .accepted(let count):
      [Bytes("{\"type\":\"number_of_executions\",\"execution_count\":\(count)}\n")]
    case .stream(let name, let text, let timestamp):
      [streamPrefix(name), JSONString.singleLine(contents: text), "\",\"timestamp\":\"", timestamp, "\"}\n"]
    case .result(let data, let isMain): result(data, isMain: isMain)
    case .error(let name, let value, let traceback):
      error(name: name, value: value, traceback: traceback)
    case .end: ["{\"type\":\"end_of_execution\"}\n"]
    }
  }

  private static func streamPrefix(_ name: StreamName) -> Bytes {
    switch name {
    case .stdout: "{\"type\":\"stdout\",\"text\":\""
    case .stderr: "{\"type\":\"stderr\",\"text\":\""
    }
  }

  private static func error(name: Bytes, value: Bytes, traceback: [Bytes]) -> [Bytes] {
    [
      "{\"type\":\"error\",\"name\":\"", plain(name), "\",\"value\":\"", plain(value),
      "\",\"traceback\":\"", plain(JSONString.join(lines: traceback)), "\"}\n",
    ]
  }

  private static func plain(_ contents: Bytes) -> Bytes {
    JSONString.singleLine(contents: JSONString.withoutTerminalControls(contents: contents))
  }

  private static func result(_ data: JSONSlice, isMain: Bool) -> [Bytes] {
    var known = [JSONSlice?](repeating: nil, count: fields.count)
    var others: [Bytes] = []
    data.forEachMember { key, value in
      let type = key.string
      if let index = fields.firstIndex(where: { $0.type == type }) {
        known[index] = value
      } else {
        others += [others.isEmpty ? "" : ",", key.singleLine, ":", value.singleLine]
      }
    }
    var pieces: [Bytes] = [
      isMain
        ? "{\"type\":\"result\",\"is_main_result\":true" : "{\"type\":\"result\",\"is_main_result\":false"
    ]
    for (field, value) in zip(fields, known) {
      pieces.append(Bytes(",\"\(field.name)\":"))
      pieces += self.value(value, isText: field.name == "text")
    }
    if !others.isEmpty { pieces += [",\"extra\":{"] + others + ["}"] }
    return pieces + ["}\n"]
  }

  private static func value(_ value: JSONSlice?, isText: Bool) -> [Bytes] {
    guard let value else { return ["null"] }
    guard isText, value.kind == .string else { return [value.singleLine] }
    let contents = JSONString.singleLine(contents: value.stringContents)
    return ["\"", JSONString.dropEnclosingQuotes(contents: contents), "\""]
  }
}
