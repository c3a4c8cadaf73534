public import Bytes

/// The client's side of a connection: bytes in, responses out.
///
/// Interim responses (1xx) are passed over, but for 101: after its `.end` the bytes in the buffer belong to the other
/// protocol, and `next` leaves them alone. An error is final.
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

  /// The method of the request that is answered next: a response to `HEAD` has no body, whatever its fields say. Set
  /// it before each request on a kept connection.
  public var requestMethod: String

  private let limits: HTTPLimits
  private var state = State.head(HTTPSectionScanner())
  private var interimResponses = 0

  /// A parser for the answer to a request with `requestMethod`.
  public init(requestMethod: String = "GET", limits: HTTPLimits = HTTPLimits()) {
    self.requestMethod = requestMethod
    self.limits = limits
  }

  /// The next event; nil when the bytes for it have not arrived. What belongs to it is taken from `buffer`.
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

  /// What the end of the connection means: the end of a body that lasts until then, nothing between two messages, and
  /// otherwise the error `truncated`. Call it when `next` has returned nil.
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
      throw HTTPProtocolError(.malformedStartLine, "The status line is too long")
    }
    guard (end ?? span.count) - lineEnd <= limits.fieldSectionLength else {
      throw HTTPProtocolError(
        .fieldsTooLong, "The header section is longer than \(limits.fieldSectionLength) bytes")
    }
    guard span[0] == UInt8(ascii: "H") else {
      throw HTTPProtocolError(.malformedStartLine, "This is not HTTP")
    }
    guard let end else { return nil }
    let line = try HTTPStartLine.parseStatus(span.extracting(0..<lineEnd))
    let fields = try HTTPFieldParser.parse(span, in: lineEnd..<end - 2, maximumCount: limits.fieldCount)
    return (
      HTTPResponseHead(status: line.status, reason: line.reason, version: line.version, fields: fields), end
    )
  }
}
