import Jupyter
import Bytes
import Wire

/// One execution as a state machine: the kernel's messages in, what the client is told out. It does no I/O.
///
/// https://jupyter-client.readthedocs.io/en/stable/messaging.html#execute
struct Execution {
  /// True when we interrupted the code.
  var isInterrupted = false
  /// True when the code has asked its kernel to end, as `exit()` does: it will, in a moment.
  private(set) var endsKernel = false
  private var progress = RequestProgress()
  /// True when the kernel has said that it runs the code.
  private(set) var isAccepted = false
  private var hasFailed = false
  /// True when the client knows that output was dropped: that the kernel then obeys no interrupt, or ends, is no other error.
  private(set) var isLossTold = false
  /// What is wrong according to the reply, until it is certain that iopub, which may come later, does not say it too.
  private var repliedFailure: RepliedFailure?

  private enum RepliedFailure {
    case error(JSONSlice)
    /// The code was given up, perhaps before it ran.
    case aborted(hasRun: Bool)
    case unreadable(JSONError)
  }

  /// True when the kernel has nothing more to say to it.
  var isComplete: Bool { progress.isComplete }

  /// True when the code was interrupted and the kernel did not say so itself.
  var wantsInterruptionTold: Bool { isInterrupted && !hasFailed }

  /// True when the kernel is done with an interrupted execution and has not replied: the interrupt may have hit it beside
  /// the code, and then no reply comes.
  var mayHaveLostItsReply: Bool { isInterrupted && progress.isIdle && !progress.isReplied }

  /// Output was dropped, which ends the execution with an error of ours: the kernel's own is not told, too.
  mutating func receive(_ loss: OutputLoss) -> [OutputEvent] {
    guard !hasFailed else { return [] }
    hasFailed = true
    isLossTold = true
    return [
      .failure(
        .outputLimitExceeded,
        "more than \(loss.limit) bytes of output waited for the client to read them (--max-unread-output); "
          + "\(loss.bytes) bytes that came after them were dropped")
    ]
  }

  /// Takes a message whose parent is this execution's request.
  ///
  /// - Throws: `JSONError` where its content is not what the protocol says.
  mutating func receive(_ message: Message) throws(JSONError) -> [OutputEvent] {
    progress.note(message)
    switch (message.channel, message.header.type) {
    case (.shell, .executeReply):
      do {
        return try receiveReply(message.content())
      } catch {
        // No other comes: it ends the execution as a good one does.
        repliedFailure = .unreadable(error)
        return failureOfReply()
      }
    case (.iopub, .status):
      return failureOfReply()
    case (.iopub, .executeInput):
      return try accept(message.content()["execution_count"])
    case (.iopub, .error):
      return try receiveError(message.content())
    case (.iopub, _): return try Self.output(of: message)
    default: return []
    }
  }

  /// What a message shows to the client, whichever execution it belongs to; nothing for messages of other kinds.
  static func output(of message: Message) throws(JSONError) -> [OutputEvent] {
    guard message.channel == .iopub else { return [] }
    switch message.header.type {
    case .stream:
      return stream(try message.content(), at: message.header.date)
    case .executeResult:
      return display(try message.content(), isMain: true)
    case .displayData:
      return display(try message.content())
    case .updateDisplayData:
      return display(try message.content(), isUpdate: true)
    case .clearOutput:
      return [.clearOutput(waits: try message.content()["wait"]?.bool ?? false)]
    default:
      return []
    }
  }

  private static func stream(_ content: JSONSlice, at timestamp: Bytes) -> [OutputEvent] {
    var name = StreamName.stdout
    var text = Bytes()
    // Once through it: the text may be long.
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
    // Once through it: the data may be long.
    content.forEachMember { key, value in
      switch key {
      case "data": data = value
      case "transient": transient = value
      default: break
      }
    }
    guard let data, data.kind == .object else { return [] }
    let displayID = transient?["display_id"].flatMap(displayID)
    // What updates nothing that has a name is only shown.
    if isUpdate, let displayID { return [.displayUpdate(data, displayID: displayID)] }
    return [.result(data, isMain: isMain, displayID: displayID)]
  }

  /// Names are strings; IPython passes on whatever code gives, and numbers are meant as names by some.
  private static func displayID(_ value: JSONSlice) -> Bytes? {
    switch value.kind {
    case .string: value.stringContents
    case .number: value.bytes
    default: nil
    }
  }

  private mutating func accept(_ count: JSONSlice?) -> [OutputEvent] {
    guard !isAccepted, let count = count?.integer else { return [] }
    isAccepted = true
    return [.accepted(executionCount: count)]
  }

  private mutating func receiveError(_ content: JSONSlice) -> [OutputEvent] {
    hasFailed = true
    return [
      .error(
        name: content["ename"]?.stringContents ?? "Error", value: content["evalue"]?.stringContents ?? "",
        traceback: content["traceback"]?.elements.map(\.stringContents) ?? [])
    ]
  }

  private mutating func receiveReply(_ content: JSONSlice) -> [OutputEvent] {
    let hasRun = isAccepted
    // A kernel that announces nothing on iopub still counts.
    let accepted = accept(content["execution_count"])
    switch content["status"] {
    case "error"?:
      repliedFailure = .error(content)
      return accepted + failureOfReply()
    // The protocol says `abort`; kernels say `aborted`.
    case "aborted"?, "abort"?:
      repliedFailure = .aborted(hasRun: hasRun)
      return accepted + failureOfReply()
    default:
      endsKernel = content["payload"].map(Self.asksToExit) ?? false
      return accepted + pages(content["payload"])
    }
  }

  /// https://jupyter-client.readthedocs.io/en/stable/messaging.html#payloads-deprecated
  private static func asksToExit(_ payload: JSONSlice) -> Bool {
    payload.elements.contains { $0["source"]?.isString("ask_exit") == true && $0["keepkernel"]?.bool != true }
  }

  private mutating func failureOfReply() -> [OutputEvent] {
    guard isComplete, !hasFailed, let repliedFailure else { return [] }
    switch repliedFailure {
    case .error(let content): return receiveError(content)
    case .aborted(let hasRun):
      hasFailed = true
      return [
        .failure(
          .executionInterrupted,
          hasRun
            ? "the execution was interrupted"
            : "an interrupt emptied the kernel's queue before the code ran")
      ]
    case .unreadable(let error):
      hasFailed = true
      return [.failure(.connectionLost, "the kernel's reply was not JSON: \(error)")]
    }
  }

  /// What `name?` and pagers show comes with the reply.
  private func pages(_ payload: JSONSlice?) -> [OutputEvent] {
    guard let payload else { return [] }
    return payload.elements.flatMap { page in
      page["source"]?.isString("page") == true ? Self.display(page) : []
    }
  }
}
