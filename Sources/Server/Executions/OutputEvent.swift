import Bytes
import Wire

/// What the client of an execution is told. Slices are as the kernel sent them: `Bytes` of text are the contents of
/// JSON strings, still escaped; `JSONSlice` is any JSON value.
enum OutputEvent: Sendable {
  /// The kernel was replaced without a request of the client, and its memory is gone; says why.
  case contextRestarted(reason: String)
  /// The kernel has accepted the code.
  case accepted(executionCount: Int64)
  /// The code wrote to its standard output or error.
  case stream(StreamName, text: Bytes, timestamp: Bytes)
  /// The cell's value (`isMain`), or something that was displayed: a MIME bundle. `displayID` where the kernel named it,
  /// so that it can be updated.
  case result(JSONSlice, isMain: Bool, displayID: Bytes?)
  /// A MIME bundle takes the place of what was displayed under `displayID`.
  case displayUpdate(JSONSlice, displayID: Bytes)
  /// What was shown so far is to be cleared: at once, or (`waits`) when something new is shown.
  case clearOutput(waits: Bool)
  /// The code failed.
  case error(name: Bytes, value: Bytes, traceback: [Bytes])
  /// Nothing more comes.
  case end
}

/// A standard stream of the code.
enum StreamName: String, Sendable {
  case stdout, stderr
}

extension OutputEvent {
  /// How many bytes it holds that the kernel sent.
  var length: Int {
    switch self {
    case .stream(_, let text, _): text.count
    case .result(let data, _, let displayID): data.bytes.count + (displayID?.count ?? 0)
    case .displayUpdate(let data, let displayID): data.bytes.count + displayID.count
    case .error(let name, let value, let traceback):
      traceback.reduce(name.count + value.count) { $0 + $1.count }
    case .accepted, .contextRestarted, .clearOutput, .end: 0
    }
  }

  /// An error that the server, not the code, has made.
  static func failure(_ name: FailureName, _ explanation: String) -> OutputEvent {
    .error(name: Bytes(name.rawValue), value: JSONString.contents(of: explanation), traceback: [])
  }
}

/// The names of the errors that the server makes.
enum FailureName: String, Sendable {
  case kernelDied = "KernelDied"
  case kernelRestarted = "KernelRestarted"
  case executionInterrupted = "ExecutionInterrupted"
  case connectionLost = "ConnectionLost"
  case outputLimitExceeded = "OutputLimitExceeded"
}
