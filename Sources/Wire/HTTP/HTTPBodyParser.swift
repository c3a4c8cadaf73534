public import Bytes

/// What a parser has read.
public enum HTTPEvent<Head: Sendable>: Sendable {
  /// The start line and fields, and the framing of the body that follows.
  case head(Head, body: BodyFraming)
  /// The next bytes of the body; never empty. They share the memory that they were read into.
  case body(Bytes)
  /// The end of the message. Only chunked bodies have trailers.
  case end(trailers: HTTPFields)
}

extension HTTPEvent: Equatable where Head: Equatable {}

/// Parses a body of any framing.
struct HTTPBodyParser {
  private enum State {
    case ended
    case length(Int64)
    case untilClose
    case chunkLine
    case chunkData(Int64)
    case chunkEnd
    case trailers(HTTPSectionScanner)
  }

  private var state: State
  private var extensionsLength = 0

  init(_ framing: BodyFraming) {
    switch framing {
    case .none: state = .ended
    case .length(let length): state = length > 0 ? .length(length) : .ended
    case .chunked: state = .chunkLine
    case .untilClose: state = .untilClose
    }
  }

  var endsWithConnection: Bool {
    if case .untilClose = state { true } else { false }
  }

  /// The next part, or the end; nil if it has not been received.
  mutating func next<Head>(
    _ buffer: inout ByteBuffer, _ limits: HTTPLimits
  ) throws(HTTPProtocolError) -> HTTPEvent<Head>? {
    while true {
      switch state {
      case .ended: return .end(trailers: HTTPFields())
      case .untilClose: return buffer.isEmpty ? nil : .body(buffer.takeAll())
      case .length(let left): return takeData(&buffer, left) { $0 == 0 ? .ended : .length($0) }
      case .chunkData(let left): return takeData(&buffer, left) { $0 == 0 ? .chunkEnd : .chunkData($0) }
      case .chunkLine: guard try takeChunkLine(&buffer, limits) else { return nil }
      case .chunkEnd: guard try takeChunkEnd(&buffer) else { return nil }
      case .trailers(let scanner): return try takeTrailers(&buffer, scanner, limits)
      }
    }
  }

  private mutating func takeData<Head>(
    _ buffer: inout ByteBuffer, _ left: Int64, then: (Int64) -> State
  ) -> HTTPEvent<Head>? {
    guard !buffer.isEmpty else { return nil }
    let data = buffer.take(Int(min(Int64(buffer.count), left)))
    state = then(left - Int64(data.count))
    return .body(data)
  }

  /// Takes a chunk's size and extensions (RFC 9112, 7.1). Extensions are checked and ignored.
  private mutating func takeChunkLine(
    _ buffer: inout ByteBuffer, _ limits: HTTPLimits
  ) throws(HTTPProtocolError) -> Bool {
    let limit = limits.chunkLineLength
    let found = try buffer.withSpan { (span) throws(HTTPProtocolError) in
      try ChunkLine.parse(span, limit: limit)
    }
    guard let line = found else { return false }
    buffer.discard(line.length)
    extensionsLength += line.extensionLength
    guard extensionsLength <= limits.chunkExtensionsLength else {
      throw HTTPProtocolError(.malformedChunk, "Chunk extensions are too long")
    }
    state = line.size == 0 ? .trailers(HTTPSectionScanner()) : .chunkData(line.size)
    return true
  }

  private mutating func takeChunkEnd(_ buffer: inout ByteBuffer) throws(HTTPProtocolError) -> Bool {
    if buffer.isEmpty { return false }
    guard buffer[0] == .carriageReturn, buffer.count < 2 || buffer[1] == .lineFeed else {
      throw HTTPProtocolError(.malformedChunk, "A chunk is longer than it says")
    }
    guard buffer.count >= 2 else { return false }
    buffer.discard(2)
    state = .chunkLine
    return true
  }

  private mutating func takeTrailers<Head>(
    _ buffer: inout ByteBuffer, _ scanner: HTTPSectionScanner, _ limits: HTTPLimits
  ) throws(HTTPProtocolError) -> HTTPEvent<Head>? {
    var scanner = scanner
    let found = try buffer.withSpan { (span) throws(HTTPProtocolError) -> (HTTPFields, Int)? in
      let end = try scanner.endOfSection(in: span)
      guard end ?? span.count <= limits.trailerLength else {
        throw HTTPProtocolError(
          .fieldsTooLong, "The trailer section is longer than \(limits.trailerLength) bytes")
      }
      guard let end else { return nil }
      return (try HTTPFieldParser.parse(span, in: 0..<end - 2, maximumCount: limits.fieldCount), end)
    }
    guard let (fields, length) = found else {
      state = .trailers(scanner)
      return nil
    }
    buffer.discard(length)
    state = .ended
    return .end(trailers: fields)
  }
}
