import Bytes
import HTTPServer
import Loop
import Wire

/// Streams an execution's events to an HTTP client as lines of JSON, each at once, and keeps an idle stream alive.
@LoopActor
final class NDJSONSink: ExecutionSink {
  /// The fields of a response that streams lines of the execution with this identifier.
  static func fields(of identifier: String) -> HTTPFields {
    [
      "Content-Type": "application/x-ndjson", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
      "X-Execution-ID": identifier,
    ]
  }

  /// Proxies close connections that are idle for 60 s, some for 30 s.
  nonisolated static let silenceLimit: Duration = .seconds(15)

  var onLoss: (@LoopActor () -> Void)?
  private let writer: ResponseWriter
  private let identifier: String
  private var hasBegun = false
  /// True when the client is gone or has received the last line.
  private var isOver = false
  private var silence: Deadline?
  /// How many writes the client has not taken yet.
  private var pendingWrites = 0

  /// - Parameter identifier: the execution's.
  init(writer: ResponseWriter, identifier: String) {
    self.writer = writer
    self.identifier = identifier
    let silence = Deadline { [weak self] in self?.breakSilence() }
    self.silence = silence
    silence.start(Self.silenceLimit)
  }

  func begin() async {
    guard !hasBegun else { return }
    hasBegun = true
    pendingWrites += 1
    defer { pendingWrites -= 1 }
    do { try await writer.start(200, fields: Self.fields(of: identifier)) } catch { lose() }
  }

  func send(_ events: [OutputEvent]) async {
    for event in events { await write(await NDJSONEncoder.lineOfAnyLength(event)) }
  }

  func finish() async {
    silence?.close()
    silence = nil
    await begin()
    guard !isOver else { return }
    isOver = true
    // The execution has ended: a disconnect no longer interrupts anything.
    try? await writer.finish(NDJSONEncoder.line(.end))
  }

  /// Writes a space. JSON allows white space before a text (RFC 8259, section 2), so parsers of the stream ignore it.
  /// Does nothing while the client has not read what was written before.
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

extension NDJSONEncoder {
  /// The line of an event of any length: a long text is searched for line breaks on another thread.
  @LoopActor
  static func lineOfAnyLength(_ event: OutputEvent) async -> [Bytes] {
    // A cancelled task gets no thread and does it here: no output may be lost.
    (try? await Computation.run(over: event.length) { line(event) }) ?? line(event)
  }
}
