import Bytes

/// Parses the requests of a connection.
///
/// After `.end` the next call begins with the next request. An error is final: the end of the message is not known then.
struct HTTPRequestParser: Sendable {
  typealias Event = HTTPEvent<HTTPRequestHead>

  private enum State {
    case head(HTTPSectionScanner)
    case body(HTTPBodyParser)
    case failed(HTTPProtocolError)
  }

  private let limits: HTTPLimits
  private var state = State.head(HTTPSectionScanner())
  private var emptyLines = 0

  init(limits: HTTPLimits = HTTPLimits()) { self.limits = limits }

  /// The next event, which is taken from `buffer`; nil if it has not been received.
  mutating func next(_ buffer: inout ByteBuffer) throws(HTTPProtocolError) -> Event? {
    do throws(HTTPProtocolError) {
      switch state {
      case .head(let scanner): return try nextHead(&buffer, scanner)
      case .body(let parser): return try nextPart(&buffer, parser)
      case .failed(let error): throw error
      }
    } catch {
      state = .failed(error)
      throw error
    }
  }

  private mutating func nextPart(
    _ buffer: inout ByteBuffer, _ parser: HTTPBodyParser
  ) throws(HTTPProtocolError) -> Event? {
    var parser = parser
    let event: Event? = try parser.next(&buffer, limits)
    if case .end = event { state = .head(HTTPSectionScanner()) } else { state = .body(parser) }
    return event
  }

  private mutating func nextHead(
    _ buffer: inout ByteBuffer, _ scanner: HTTPSectionScanner
  ) throws(HTTPProtocolError) -> Event? {
    if scanner.isAtStart { try skipEmptyLines(&buffer) }
    // A lone CR may be the first half of an empty line.
    if buffer.isEmpty || (buffer.count == 1 && buffer[0] == .carriageReturn) { return nil }
    var scanner = scanner
    let limits = limits
    let found = try buffer.withSpan { (span) throws(HTTPProtocolError) in
      try Self.parseHead(span, &scanner, limits)
    }
    guard let (head, length) = found else {
      state = .head(scanner)
      return nil
    }
    buffer.discard(length)
    emptyLines = 0
    let framing = try HTTPFraming.ofRequest(version: head.version, fields: head.fields)
    state = .body(HTTPBodyParser(framing))
    return .head(head, body: framing)
  }

  /// Old clients send line breaks after a body (RFC 9112, 2.2).
  private mutating func skipEmptyLines(_ buffer: inout ByteBuffer) throws(HTTPProtocolError) {
    while buffer.count >= 2, buffer[0] == .carriageReturn, buffer[1] == .lineFeed {
      emptyLines += 1
      guard emptyLines <= limits.leadingEmptyLines else {
        throw HTTPProtocolError(.malformedStartLine, "Too many empty lines before a request")
      }
      buffer.discard(2)
    }
  }

  private static func parseHead(
    _ span: borrowing Span<UInt8>, _ scanner: inout HTTPSectionScanner, _ limits: HTTPLimits
  ) throws(HTTPProtocolError) -> (HTTPRequestHead, Int)? {
    let hadLine = scanner.firstLineEnd != nil
    let end = try scanner.endOfSection(in: span)
    guard let lineEnd = scanner.firstLineEnd else {
      try checkBeginning(span, limits)
      return nil
    }
    guard let end else {
      // A malformed start line is refused at once, not only after the fields.
      if !hadLine { _ = try HTTPStartLine.parseRequest(span.extracting(0..<lineEnd), limits: limits) }
      try checkFieldsLength(span.count - lineEnd, limits)
      return nil
    }
    let line = try HTTPStartLine.parseRequest(span.extracting(0..<lineEnd), limits: limits)
    try checkFieldsLength(end - lineEnd, limits)
    let fields = try HTTPFieldParser.parse(span, in: lineEnd..<end - 2, maximumCount: limits.fieldCount)
    try HTTPHost.check(fields, version: line.version)
    return (
      HTTPRequestHead(method: line.method, target: line.target, version: line.version, fields: fields), end
    )
  }

  /// Refuses what cannot become a request line.
  private static func checkBeginning(
    _ span: borrowing Span<UInt8>, _ limits: HTTPLimits
  ) throws(HTTPProtocolError) {
    guard span[0].isToken else {
      throw HTTPProtocolError(.malformedStartLine, "The request does not begin with a method")
    }
    var method = 0
    while method < span.count, span[method].isToken { method += 1 }
    guard method <= limits.methodLength else { throw HTTPStartLine.methodTooLong }
    // The rest of the line: two spaces, the version, CR.
    guard span.count <= method + limits.targetLength + 11 else { throw HTTPStartLine.targetTooLong(limits) }
  }

  private static func checkFieldsLength(_ length: Int, _ limits: HTTPLimits) throws(HTTPProtocolError) {
    guard length <= limits.fieldSectionLength else {
      throw HTTPProtocolError(
        .fieldsTooLong, "The header section is longer than \(limits.fieldSectionLength) bytes")
    }
  }
}
