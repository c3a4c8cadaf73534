import HTTPServer
import Loop
import Bytes
import Wire

/// Sends an execution's events to its client, each when it is known, and keeps a silent stream alive.
@LoopActor
final class ExecutionOutput {
  private static let fields: HTTPFields = [
    "Content-Type": "application/x-ndjson", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
  ]
  /// Proxies close connections that are silent for a minute or even half of one.
  static let silenceLimit: Duration = .seconds(15)

  /// Called once when the client turns out to be gone.
  var onLoss: (@LoopActor () -> Void)?
  private let writer: ResponseWriter
  private var hasBegun = false
  /// Nothing more goes out: the client is gone, or has had the last line.
  private var isOver = false
  private var silence: Deadline?
  /// Writes that the client has not taken yet.
  private var writesUnderWay = 0

  init(writer: ResponseWriter) {
    self.writer = writer
    let silence = Deadline { [weak self] in self?.breakSilence() }
    self.silence = silence
    silence.start(Self.silenceLimit)
  }

  /// Sends the head of the answer, unless it has been sent.
  func begin() async {
    guard !hasBegun else { return }
    hasBegun = true
    writesUnderWay += 1
    defer { writesUnderWay -= 1 }
    do { try await writer.start(200, fields: Self.fields) } catch { lose() }
  }

  /// Writes the lines of `events`; waits while the client does not read. A client that is gone gets nothing.
  func send(_ events: [OutputEvent]) async {
    for event in events {
      // Line breaks are looked for in all of its text. Cancellation is no reason to lose any of it: it is written all the
      // same, or the client is gone.
      let line = try? await Computation.run(over: event.length) { OutputEncoder.line(event) }
      await write(line ?? OutputEncoder.line(event))
    }
  }

  /// Ends the stream: the last line, and nothing after it.
  func finish() async {
    silence?.close()
    silence = nil
    await begin()
    guard !isOver else { return }
    isOver = true
    // A client that does not take the last line any more has nothing to be told, and nothing is left to be interrupted.
    try? await writer.finish(OutputEncoder.line(.end))
  }

  private func write(_ pieces: [Bytes]) async {
    await begin()
    guard !isOver else { return }
    silence?.start(Self.silenceLimit)
    writesUnderWay += 1
    defer { writesUnderWay -= 1 }
    do { try await writer.write(pieces) } catch { lose() }
  }

  /// White space may stand before any JSON text, so no parser of the stream sees it. Where something waits for the client
  /// already, more would only pile up.
  func breakSilence() {
    guard let silence else { return }
    guard writesUnderWay == 0 else { return silence.start(Self.silenceLimit) }
    LoopActor.task { await self.write([" "]) }
  }

  private func lose() {
    guard !isOver else { return }
    isOver = true
    onLoss?()
  }
}
