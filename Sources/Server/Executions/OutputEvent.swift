import Bytes
import Wire

/// An output event of an execution. Slices are as the kernel sent them: `Bytes` of text are the contents of JSON
/// strings, still escaped; `JSONSlice` is any JSON value.
enum OutputEvent: Sendable {
  /// The kernel was replaced without a client's request, and its memory is lost; the reason.
  case contextRestarted(reason: String)
  /// The kernel has started the code.
  case accepted(executionCount: Int64)
  /// The code has written to standard output or error.
  case stream(StreamName, text: Bytes, timestamp: Bytes)
  /// The cell's value (`isMain`) or displayed data: a MIME bundle. With `displayID` it can be updated.
  case result(JSONSlice, isMain: Bool, displayID: Bytes?)
  /// A MIME bundle replaces the data displayed under `displayID`.
  case displayUpdate(JSONSlice, displayID: Bytes)
  /// Clears the output: at once, or with the next output (`waits`).
  case clearOutput(waits: Bool)
  /// The code asks for input, and waits for the answer. A password is not to be shown.
  case inputRequest(prompt: Bytes, isPassword: Bool)
  /// So many bytes of a standard stream are left out here, as the client has asked for no more.
  case outputTruncated(StreamName, omittedBytes: Int)
  /// The code failed.
  case error(name: Bytes, value: Bytes, traceback: [Bytes])
  /// The end of the output.
  case end
}

/// A standard stream of the code.
enum StreamName: String, Sendable {
  case stdout, stderr
}

extension OutputEvent {
  /// The number of bytes from the kernel.
  var length: Int {
    switch self {
    case .stream(_, let text, _): text.count
    case .result(let data, _, let displayID): data.bytes.count + (displayID?.count ?? 0)
    case .displayUpdate(let data, let displayID): data.bytes.count + displayID.count
    case .error(let name, let value, let traceback):
      traceback.reduce(name.count + value.count) { $0 + $1.count }
    case .inputRequest(let prompt, _): prompt.count
    case .accepted, .contextRestarted, .clearOutput, .outputTruncated, .end: 0
    }
  }

  /// The code ran for longer than it was allowed to.
  static func timeout(after limit: Duration, keepsMemory: Bool, traceback: [Bytes]) -> OutputEvent {
    let consequence =
      keepsMemory
      ? "was interrupted; the context's memory is kept"
      : "did not obey an interrupt; its kernel was replaced, and the context's memory is gone"
    return .failure(
      .executionTimeout, "the code ran for more than \(limit.secondsText) s and \(consequence)",
      traceback: traceback)
  }

  /// An error of the server, not of the code.
  static func failure(
    _ name: FailureName, _ explanation: String, traceback: [Bytes] = []
  ) -> OutputEvent {
    .error(name: Bytes(name.rawValue), value: JSONString.contents(of: explanation), traceback: traceback)
  }
}

/// The names of the server's errors.
enum FailureName: String, Sendable {
  case kernelDied = "KernelDied"
  case kernelRestarted = "KernelRestarted"
  case executionInterrupted = "ExecutionInterrupted"
  case executionTimeout = "ExecutionTimeout"
  case connectionLost = "ConnectionLost"
  case outputLimitExceeded = "OutputLimitExceeded"
  case outputNotKept = "OutputNotKept"
}

extension Duration {
  /// The seconds as a decimal number, without a fraction where there is none: `5`, `0.25`.
  var secondsText: String {
    let (seconds, attoseconds) = components
    return attoseconds == 0 ? "\(seconds)" : "\(Double(seconds) + Double(attoseconds) / 1e18)"
  }
}
