import Bytes
import Jupyter
import Wire

extension OutputEvent {
  /// The output in a message, whichever execution it belongs to; empty for other messages.
  ///
  /// - Throws: `JSONError` if its content is not JSON.
  static func output(of message: Message) throws(JSONError) -> [OutputEvent] {
    guard message.channel == .iopub else { return [] }
    switch message.header.type {
    case .stream: return stream(try message.content(), at: message.header.date)
    case .executeResult: return display(try message.content(), isMain: true)
    case .displayData: return display(try message.content())
    case .updateDisplayData: return display(try message.content(), isUpdate: true)
    case .clearOutput: return [.clearOutput(waits: try message.content()["wait"]?.bool ?? false)]
    default: return []
    }
  }

  /// The output of `name?` and pagers, which is in the reply.
  static func pages(in payload: JSONSlice?) -> [OutputEvent] {
    guard let payload else { return [] }
    return payload.elements.flatMap { page in
      page["source"]?.isString("page") == true ? display(page) : []
    }
  }

  /// The error that the content of an `error` message or of a reply holds.
  static func error(in content: JSONSlice) -> OutputEvent {
    .error(
      name: content["ename"]?.stringContents ?? "Error", value: content["evalue"]?.stringContents ?? "",
      traceback: content["traceback"]?.elements.map(\.stringContents) ?? [])
  }

  private static func stream(_ content: JSONSlice, at timestamp: Bytes) -> [OutputEvent] {
    var name = StreamName.stdout
    var text = Bytes()
    // One pass, as the text may be long.
    content.forEachMember { key, value in
      switch key {
      case "name": name = value.isString("stderr") ? .stderr : .stdout
      case "text": text = value.stringContents
      default: break
      }
    }
    return text.isEmpty ? [] : [.stream(name, text: text, timestamp: timestamp)]
  }

  /// https://jupyter-client.readthedocs.io/en/stable/messaging.html#display-data
  private static func display(
    _ content: JSONSlice, isMain: Bool = false, isUpdate: Bool = false
  ) -> [OutputEvent] {
    var data: JSONSlice?
    var transient: JSONSlice?
    // One pass, as the data may be long.
    content.forEachMember { key, value in
      switch key {
      case "data": data = value
      case "transient": transient = value
      default: break
      }
    }
    guard let data, data.kind == .object else { return [] }
    let displayID = transient?["display_id"].flatMap(displayID)
    // An update without a `display_id` is displayed as new.
    if isUpdate, let displayID { return [.displayUpdate(data, displayID: displayID)] }
    return [.result(data, isMain: isMain, displayID: displayID)]
  }

  /// `display_id` is a string, but IPython passes on any value, and some code uses numbers.
  private static func displayID(_ value: JSONSlice) -> Bytes? {
    switch value.kind {
    case .string: value.stringContents
    case .number: value.bytes
    default: nil
    }
  }
}
