public import Bytes

/// Parses the responses of a connection to requests with one method.
///
/// Interim responses (1xx) are skipped, except 101: the bytes after its `.end` belong to the other protocol and stay in
/// the buffer. An error is final.
public struct HTTPResponseParser: Sendable {
  /// What `next` returns.
  public typealias Event = HTTPEvent<HTTPResponseHead>

  private enum State {
    case head(HTTPSectionScanner)
    case body(HTTPBodyParser)
    case upgrading
    case upgraded
    case failed(HTTPProtocolError)
  }

  /// The method of the request: a response to `HEAD` has no body, whatever its fields say.
  private let requestMethod: String
  private let limits: HTTPLimits
  private var state = State.head(HTTPSectionScanner())
  private var interimResponses = 0

  /// A parser for the response to a request with `requestMethod`.
  public init(requestMethod: String = "GET", limits: HTTPLimits = HTTPLimits()) {
    self.requestMethod = requestMethod
    self.limits = limits
  }

  /// The next event, which is taken from `buffer`; nil if it has not been received.
  public mutating func next(_ buffer: inout ByteBuffer) throws(HTTPProtocolError) -> Event? {
    do throws(HTTPProtocolError) {
      switch state {
      case .head(let scanner): return try nextHead(&buffer, scanner)
      case .body(let parser): return try nextPart(&buffer, parser)
      case .upgrading:
        state = .upgraded
        return .end(trailers: HTTPFields())
      case .upgraded: return nil
      case .failed(let error): throw error
      }
    } catch {
      state = .failed(error)
      throw error
    }
  }

  /// The connection has ended, and `next` has returned nil: the end of a close-delimited body, or nil between two
  /// messages. Throws `truncated` within a message.
  public mutating func finish() throws(HTTPProtocolError) -> Event? {
    switch state {
    case .body(let parser) where parser.endsWithConnection:
      state = .head(HTTPSectionScanner())
      return .end(trailers: HTTPFields())
    case .head(let scanner) where scanner.isAtStart: return nil
    case .upgrading, .upgraded: return nil
    case .failed(let error): throw error
    case .head, .body:
      let error = HTTPProtocolError(.truncated, "The connection ended in the middle of a response")
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
    var scanner = scanner
    while !buffer.isEmpty {
      let limits = limits
      let found = try buffer.withSpan { (span) throws(HTTPProtocolError) in
        try Self.parseHead(span, &scanner, limits)
      }
      guard let (head, length) = found else { break }
      buffer.discard(length)
      if head.status >= 200 || head.status == 101 { return try begin(head) }
      interimResponses += 1
      guard interimResponses <= limits.interimResponses else {
        throw HTTPProtocolError(.malformedStartLine, "Too many interim responses")
      }
      scanner = HTTPSectionScanner()
    }
    state = .head(scanner)
    return nil
  }

  private mutating func begin(_ head: HTTPResponseHead) throws(HTTPProtocolError) -> Event {
    interimResponses = 0
    let framing = try HTTPFraming.ofResponse(
      version: head.version, status: head.status, fields: head.fields, requestMethod: requestMethod)
    state = head.status == 101 ? .upgrading : .body(HTTPBodyParser(framing))
    return .head(head, body: framing)
  }

  private static func parseHead(
    _ span: borrowing Span<UInt8>, _ scanner: inout HTTPSectionScanner, _ limits: HTTPLimits
  ) throws(HTTPProtocolError) -> (HTTPResponseHead, Int)? {
    let end = try scanner.endOfSection(in: span)
    let lineEnd = scanner.firstLineEnd ?? span.count
    guard lineEnd <= limits.statusLineLength else {
      throw HTTPProtocolError(.malformedStartLine, "The status line is longer than the limit")
    }
    guard (end ?? span.count) - lineEnd <= limits.fieldSectionLength else {
      throw HTTPProtocolError(
        .fieldsTooLong, "The header section is longer than \(limits.fieldSectionLength) bytes")
    }
    guard span[0] == UInt8(ascii: "H") else {
      throw HTTPProtocolError(.malformedStartLine, "The response does not begin with an HTTP version")
    }
    guard let end else { return nil }
    let line = try HTTPStartLine.parseStatus(span.extracting(0..<lineEnd))
    let fields = try HTTPFieldParser.parse(span, in: lineEnd..<end - 2, maximumCount: limits.fieldCount)
    return (
      HTTPResponseHead(status: line.status, reason: line.reason, version: line.version, fields: fields), end
    )
  }
}
