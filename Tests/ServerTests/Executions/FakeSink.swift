import Loop

@testable import Server

/// Records the output of an execution, and blocks as long as the test wants.
@LoopActor
final class FakeSink: ExecutionSink {
  var onLoss: (@LoopActor () -> Void)?
  /// The calls: `begin`, the lines, `finish`.
  private(set) var calls: [String] = []
  /// `send` waits for this; nil for no wait.
  var gate: Promise<Void>?

  nonisolated init() {}

  func begin() async { if calls.isEmpty { calls.append("begin") } }

  func send(_ events: [OutputEvent]) async {
    for event in events {
      await begin()
      calls.append(Self.describe(event))
      await gate?.getRegardless()
    }
  }

  func finish() async { calls.append("finish") }

  private static func describe(_ event: OutputEvent) -> String {
    switch event {
    case .accepted(let count): "accepted \(count)"
    case .stream(let name, let text, _): "\(name.rawValue) \(text)"
    case .error(let name, _, _): "error \(name)"
    case .contextRestarted(let reason): "restarted: \(reason)"
    case .result: "result"
    case .displayUpdate: "update"
    case .clearOutput: "clear"
    case .inputRequest(let prompt, let isPassword): isPassword ? "password \(prompt)" : "input \(prompt)"
    case .outputTruncated(let name, let count): "truncated \(name.rawValue) \(count)"
    case .end: "end"
    }
  }
}
