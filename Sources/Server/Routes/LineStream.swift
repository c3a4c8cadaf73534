import Bytes
import HTTPServer
import Loop
import Wire

/// Sends the lines of an execution to one client, from its journal, each as soon as it is there.
@LoopActor
final class LineStream {
  private let resource: ExecutionResource
  private let journal: Journal
  private let writer: ResponseWriter
  /// Where the stream ends; nil for the end of the execution.
  private let end: Int64?
  private let cache = BlockCache(.transfer)
  private var isSilent = false
  private var silence: Deadline?

  /// - Parameter follows: false to send only what there is now.
  init(_ resource: ExecutionResource, _ journal: Journal, follows: Bool, writer: ResponseWriter) {
    self.resource = resource
    self.journal = journal
    end = follows ? nil : journal.endOffset
    self.writer = writer
  }

  /// Sends the lines behind the first `line` ones.
  ///
  /// - Throws: `HTTPErrorResponse` 410 if they are no longer kept; 429.
  func send(after line: Int) async throws {
    guard resource.addReader() else {
      throw HTTPErrorResponse(
        429, "\(resource.mostReaders) clients read this execution, and no more are allowed (--max-readers)",
        fields: ["Retry-After": "1"])
    }
    defer { resource.removeReader() }
    let watch = LoopActor.task {
      await self.writer.untilClientDisconnects()
      self.journal.wakeReaders()
    }
    silence = Deadline {
      self.isSilent = true
      self.journal.wakeReaders()
    }
    defer {
      watch.cancel()
      silence?.close()
      silence = nil
    }
    do {
      try await start(after: line)
    } catch let error as Journal.Dropped {
      throw HTTPErrorResponse(
        410, "Lines before \(error.first) are no longer kept: ask for after=\(error.first) or more")
    }
  }

  private func start(after line: Int) async throws {
    // Where the head goes out first, a client knows at once that its request was accepted.
    if journal.lineCount < line || journal.lineCount == 0 { try await begin() }
    while writer.sendsBody, journal.lineCount < line, try await hasMore(behind: journal.endOffset) {}
    let offset: Int64?
    do {
      offset = try await journal.offset(ofLine: line)
    } catch let error as Journal.Dropped where writer.hasStarted {
      return try await tell(error)
    }
    try await begin()
    guard let offset, writer.sendsBody else { return try await writer.finish() }
    try await send(from: offset)
  }

  private func begin() async throws {
    if !writer.hasStarted { try await writer.start(200, fields: NDJSONSink.fields(of: resource.identifier)) }
  }

  private func send(from start: Int64) async throws {
    var offset = start
    var isAtLineStart = true
    // While the client takes one block of the file the next is being read.
    var reading: Task<Bytes, any Error>?
    defer { reading?.cancel() }
    do {
      while try await hasMore(behind: offset) {
        // Without a copy a replay of 256 MiB over loopback has 1.7 times the MB/s, for half of the server's processor time. But what
        // waits in a socket then are the pages of the file, so it can be done only when no newer lines may take their place.
        if reading == nil, let part = journal.settledPart(from: offset, to: end ?? journal.endOffset) {
          try await writer.write(part)
          offset += Int64(part.count)
          continue
        }
        var block: Bytes
        if let reading {
          block = try await reading.value
        } else {
          block = try await journal.read(at: offset)
        }
        reading = nil
        if let end { block = block[0..<min(block.count, Int(clamping: end - offset))] }
        offset += Int64(block.count)
        isAtLineStart = block[block.count - 1] == UInt8(ascii: "\n")
        if journal.isComplete, offset == journal.endOffset { return try await writer.finish([block]) }
        if journal.isInFile(offset), !journal.isSettled {
          let next = offset
          reading = LoopActor.task { try await self.journal.read(at: next) }
        }
        try await writer.write([block])
      }
      try await writer.finish()
    } catch let error as Journal.Dropped where isAtLineStart {
      try await tell(error)
    }
  }

  /// Waits for bytes behind `offset`; false if none come.
  ///
  /// - Throws: `ClientDisconnected` if the client is gone before the end: what it got must not look complete. A client that has only
  ///   sent FIN may still read, and gets what need not be waited for.
  private func hasMore(behind offset: Int64) async throws -> Bool {
    if let end { return offset < end }
    while !journal.isComplete {
      try writer.checkClient()
      if journal.endOffset > offset { return true }
      isSilent = false
      silence?.start(NDJSONSink.silenceLimit)
      defer { silence?.stop() }
      try await journal.wait(beyond: offset) { isSilent || writer.isClientDisconnected }
      // See `NDJSONSink.breakSilence`.
      if isSilent, !writer.isClientDisconnected { try await writer.write([" "]) }
    }
    return journal.endOffset > offset
  }

  /// The client was slower than the journal is long, or the disk is full.
  private func tell(_ error: Journal.Dropped) async throws {
    let reason =
      journal.failure.map { "they could not be written: \($0)" }
      ?? "the execution has more lines than are kept (--max-journal)"
    let event = OutputEvent.failure(
      .outputNotKept, "the lines that follow here, up to line \(error.first), are no longer kept: \(reason)")
    try await writer.finish(NDJSONEncoder.line(event) + NDJSONEncoder.line(.end))
  }
}
