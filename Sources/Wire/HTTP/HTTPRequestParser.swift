public import Bytes

/// The server's side of a connection: bytes in, requests out.
///
/// After `.end` the next call begins with the next request, so a server that answers one after the other just does
/// not call before it has answered. An error is final: where the message ends is not known any more.
public struct HTTPRequestParser: Sendable {
  /// What `next` returns.
  public typealias Event = HTTPEvent<HTTPRequestHead>

  private enum State {
    case head(HTTPSectionScanner)
    case body(HTTPBodyParser)
    case failed(HTTPProtocolError)
  }

  private let limits: HTTPLimits
  private var state = State.head(HTTPSectionScanner())
  private var emptyLines = 0

  /// A parser at the beginning of a connection.
  public init(limits: HTTPLimits = HTTPLimits()) { self.limits = limits }

  /// The next event; nil when the bytes for it have not arrived. What belongs to it is taken from `buffer`.
  public mutating func next(_ buffer: inout ByteBuffer) throws(HTTPProtocolError) -> Event? {
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
    // A CR alone may be the first half of an empty line.
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

  /// Passes over the line breaks that old clients send after a body (RFC 9112, 2.2).
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
      // A start line that is wrong is answered at once, not only when the fields have come.
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

  /// Refuses what cannot become a request line as soon as that is known.
  private static func checkBeginning(
    _ span: borrowing Span<UInt8>, _ limits: HTTPLimits
  ) throws(HTTPProtocolError) {
    guard span[0].isToken else {
      throw HTTPProtocolError(.malformedStartLine, "This is not HTTP")
    }
    var method = 0
    while method < span.count, span[method].isToken { method += 1 }
    guard method <= limits.methodLength else { throw HTTPStartLine.methodTooLong }
    // What is left of the line: two spaces, the version, CR.
    guard span.count <= method + limits.targetLength + 11 else { throw HTTPStartLine.targetTooLong(limits) }
  }

  private static func checkFieldsLength(_ length: Int, _ limits: HTTPLimits) throws(HTTPProtocolError) {
    guard length <= limits.fieldSectionLength else {
      throw HTTPProtocolError(
        .fieldsTooLong, "The header section is longer than \(limits.fieldSectionLength) bytes")
    }
  }
}
