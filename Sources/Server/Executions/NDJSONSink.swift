import Bytes
import HTTPServer
import Loop
import Wire

/// Streams an execution's events to an HTTP client as lines of JSON, each as soon as it is known, and keeps a silent
/// stream alive.
@LoopActor
final class NDJSONSink: ExecutionSink {
  private static let fields: HTTPFields = [
    "Content-Type": "application/x-ndjson", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
  ]
  /// Proxies close connections that are silent for 60 s, some for 30 s.
  private static let silenceLimit: Duration = .seconds(15)

  var onLoss: (@LoopActor () -> Void)?
  private let writer: ResponseWriter
  private var hasBegun = false
  /// True when the client is gone or has had the last line.
  private var isOver = false
  private var silence: Deadline?
  /// How many writes the client has not taken yet.
  private var pendingWrites = 0

  init(writer: ResponseWriter) {
    self.writer = writer
    let silence = Deadline { [weak self] in self?.breakSilence() }
    self.silence = silence
    silence.start(Self.silenceLimit)
  }

  func begin() async {
    guard !hasBegun else { return }
    hasBegun = true
    pendingWrites += 1
    defer { pendingWrites -= 1 }
    do { try await writer.start(200, fields: Self.fields) } catch { lose() }
  }

  func send(_ events: [OutputEvent]) async {
    for event in events {
      // A long text is searched for line breaks on another thread. A cancelled task gets no thread and does it here: no
      // output may be lost.
      let line = try? await Computation.run(over: event.length) { NDJSONEncoder.line(event) }
      await write(line ?? NDJSONEncoder.line(event))
    }
  }

  func finish() async {
    silence?.close()
    silence = nil
    await begin()
    guard !isOver else { return }
    isOver = true
    // The execution has ended: a client that leaves now is no reason to interrupt anything.
    try? await writer.finish(NDJSONEncoder.line(.end))
  }

  /// Writes a space: JSON allows white space before any text (RFC 8259, section 2), so no parser of the stream sees it.
  /// While the client has not taken what was written before, more would only pile up.
  func breakSilence() {
    guard let silence else { return }
    guard pendingWrites == 0 else { return silence.start(Self.silenceLimit) }
    LoopActor.task { await self.write([" "]) }
  }

  private func write(_ pieces: [Bytes]) async {
    if !hasBegun { await begin() }
    guard !isOver else { return }
    silence?.start(Self.silenceLimit)
    pendingWrites += 1
    defer { pendingWrites -= 1 }
    do { try await writer.write(pieces) } catch { lose() }
  }

  private func lose() {
    guard !isOver else { return }
    isOver = true
    onLoss?()
  }
}
