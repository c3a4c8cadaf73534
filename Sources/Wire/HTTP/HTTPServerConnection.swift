public import Bytes

/// The server's side of an HTTP/1.1 connection (RFC 9112) without I/O: bytes and time in, events and bytes out. The
/// shape is that of h11 and of websockets' `protocol.py`; quinn's `poll_timeout` is the model of `deadline`.
///
/// A driver performs the events of `nextEvent` until `.close`. It answers a `.request` with `startResponse` and
/// `sendBody`, and then calls `startNextCycle`; meanwhile `nextEvent` returns the parts of the request's body.
public struct HTTPServerConnection: Sendable {
  private enum State {
    /// Nothing of the next request has been received.
    case idle
    /// Some of the next request's head has been received; `since` is when the driver first waited for the rest.
    case head(since: UInt64?)
    /// A request is read and answered.
    case exchange(Exchange)
    /// The next event reports this error.
    case failing(HTTPProtocolError)
    /// The last response is written.
    case ending
    /// FIN is sent. What the client still sends is discarded until its own FIN: to close a socket with unread bytes
    /// resets the connection, and that can take the response from the client before it reads it (RFC 9112, 9.6).
    case lingering(since: UInt64?, discarded: Int)
    case closed
  }

  /// One request and its response. The client may read and write at the same time, so each side has its own state.
  private struct Exchange {
    var request: RequestState
    var response = ResponseState.waiting
    var keepsConnection: Bool
    let isHTTP11: Bool
    let isHEAD: Bool
  }

  private enum RequestState {
    /// The driver has not asked for the body.
    case unread(expectsContinue: Bool)
    case reading(received: Int64)
    case ended
    /// The rest of the body cannot be read, so nothing after it can be either.
    case failed(HTTPProtocolError)
  }

  private enum ResponseState {
    case waiting
    case chunked
    case length(left: Int64)
    case untilClose
    /// The head has described a body that is not sent: HEAD, 204, 304.
    case withoutBody
    case complete
  }

  private static let continueResponse: Bytes = "HTTP/1.1 100 Continue\r\n\r\n"
  /// How much is read from a client that is refused because of `overLimit`, in bytes.
  private static let maximumDiscardedOverLimit = 64 << 10

  private let options: Options
  /// Why this connection is refused, if it is over the limit.
  private let overLimit: HTTPProtocolError?
  private var parser: HTTPRequestParser
  private var state = State.idle
  private var peerHasClosed = false
  private var isDraining = false
  /// Closes without lingering.
  private var isEvicted = false

  /// When the driver's wait for more bytes times out, on the clock of `startWaiting`; nil while it does not wait.
  public private(set) var deadline: UInt64?

  /// A connection at its beginning.
  /// - Parameter overLimit: makes the connection one that is over the server's limit: it serves one request, has the
  ///   linger time-out in place of the longer ones, and is refused with this error when the time is over.
  public init(options: Options, overLimit: HTTPProtocolError? = nil) {
    self.options = options
    self.overLimit = overLimit
    parser = HTTPRequestParser(limits: options.limits)
  }

  /// True if the connection is over the server's limit.
  public var isOverLimit: Bool { overLimit != nil }
}

// MARK: Receiving

extension HTTPServerConnection {
  /// What to do next. Takes what it has understood from `input`, which holds all bytes that were received.
  public mutating func nextEvent(_ input: inout ByteBuffer) -> Event {
    switch state {
    case .idle, .head: return nextHead(&input)
    case .exchange(let exchange): return nextPart(&input, exchange)
    case .failing(let error): return fail(error)
    case .ending:
      state = isEvicted ? .closed : .lingering(since: nil, discarded: 0)
      return isEvicted ? .close : .shutdownOutput
    case .lingering(let since, let discarded): return discard(&input, since, discarded)
    case .closed: return .close
    }
  }

  /// The client has sent FIN. Bytes that were received before it are still served.
  public mutating func receiveEOF() { peerHasClosed = true }

  private mutating func nextHead(_ input: inout ByteBuffer) -> Event {
    do throws(HTTPProtocolError) {
      if case .head(let head, let framing)? = try parser.next(&input) { return begin(head, framing) }
    } catch {
      return fail(error)
    }
    if peerHasClosed || (isDraining && input.isEmpty) {
      state = .ending
      return nextEvent(&input)
    }
    if input.isEmpty {
      state = .idle
    } else if case .idle = state {
      state = .head(since: nil)
    }
    return .needsData
  }

  private mutating func begin(_ head: HTTPRequestHead, _ framing: BodyFraming) -> Event {
    let expectsContinue = head.expectsContinue
    var exchange = Exchange(
      request: .unread(expectsContinue: expectsContinue && framing != .none),
      keepsConnection: head.keepsConnection && !isOverLimit, isHTTP11: head.version == .http11,
      isHEAD: head.method == "HEAD")
    do throws(HTTPProtocolError) {
      let target = try RequestTarget(head.target, method: head.method)
      if head.version == .http11, !expectsContinue, let expectation = head.fields.first("Expect") {
        throw HTTPProtocolError(
          .unsupportedExpectation, "Unsupported Expect: \(expectation). Only 100-continue is supported")
      }
      if case .length(let length) = framing, length > options.maximumBodyLength { throw bodyTooLong }
      state = .exchange(exchange)
      return .request(head, target, body: framing)
    } catch {
      exchange.request = .failed(error)
      state = .exchange(exchange)
      return .failed(error, head)
    }
  }

  /// Begins the response to something that is no request.
  private mutating func fail(_ error: HTTPProtocolError) -> Event {
    state = .exchange(
      Exchange(request: .failed(error), keepsConnection: false, isHTTP11: false, isHEAD: false))
    return .failed(error, nil)
  }

  private mutating func nextPart(_ input: inout ByteBuffer, _ exchange: Exchange) -> Event {
    var exchange = exchange
    defer { state = .exchange(exchange) }
    var received: Int64 = 0
    switch exchange.request {
    case .ended: return .end
    case .failed(let error): return .failed(error, nil)
    case .reading(let count): received = count
    case .unread(let expectsContinue):
      exchange.request = .reading(received: 0)
      // A client that has begun to send does not wait (RFC 9110, 10.1.1).
      if expectsContinue && input.isEmpty { return .send(Self.continueResponse) }
    }
    do throws(HTTPProtocolError) {
      switch try parser.next(&input) {
      case .body(let bytes):
        received += Int64(bytes.count)
        guard received <= options.maximumBodyLength else { throw bodyTooLong }
        exchange.request = .reading(received: received)
        return .body(bytes)
      case .end:
        exchange.request = .ended
        return .end
      case .head, nil:
        guard peerHasClosed else { return .needsData }
        throw HTTPProtocolError(.truncated, "The request's body ends before its end")
      }
    } catch {
      exchange.request = .failed(error)
      return .failed(error, nil)
    }
  }

  private mutating func discard(_ input: inout ByteBuffer, _ since: UInt64?, _ discarded: Int) -> Event {
    let discarded = discarded + input.count
    input.discard(input.count)
    if peerHasClosed || (isOverLimit && discarded > Self.maximumDiscardedOverLimit) {
      state = .closed
      return .close
    }
    state = .lingering(since: since, discarded: discarded)
    return .needsData
  }

  private var bodyTooLong: HTTPProtocolError {
    HTTPProtocolError(
      .bodyTooLong, "The request's body is longer than \(options.maximumBodyLength) bytes")
  }
}

// MARK: Sending

extension HTTPServerConnection {
  /// Begins the response. `head` holds its status line and fields; the fields that describe the body and the connection
  /// and the empty line are added.
  ///
  /// A body that was not read is passed over as far as it is in `input`. If more of it is to come, the connection ends
  /// after the response.
  /// - Parameter length: of the body in bytes. Without it the body is chunked or, for HTTP/1.0, ends with the
  ///   connection.
  /// - Throws: `HTTPProtocolError.Kind.misuse` if the request has a response.
  public mutating func startResponse(
    _ status: Int, length: Int64?, head: inout ByteBuffer, unread input: inout ByteBuffer
  ) throws(HTTPProtocolError) {
    guard case .exchange(let current) = state, case .waiting = current.response else {
      throw HTTPProtocolError(.misuse, "A request was answered twice")
    }
    passOverBody(&input, current)
    guard case .exchange(var exchange) = state else { return }
    let hasBody = !exchange.isHEAD && status != 204 && status != 304
    exchange.response = Self.response(hasBody: hasBody, length, exchange.isHTTP11)
    if case .untilClose = exchange.response { exchange.keepsConnection = false }
    if isDraining { exchange.keepsConnection = false }
    // RFC 9110, 8.6: not with 204. With 304 and HEAD it is the length of a body that is not sent.
    let describesBody = status != 204 && !(status == 304 && length == 0)
    if describesBody, let length {
      head.append("Content-Length: ")
      head.append(String(length))
      head.append("\r\n")
    } else if describesBody, exchange.isHTTP11 {
      head.append("Transfer-Encoding: chunked\r\n")
    }
    if !exchange.keepsConnection {
      head.append("Connection: close\r\n")
    } else if !exchange.isHTTP11 {
      head.append("Connection: keep-alive\r\n")
    }
    head.append("\r\n")
    state = .exchange(exchange)
  }

  private static func response(hasBody: Bool, _ length: Int64?, _ isHTTP11: Bool) -> ResponseState {
    if !hasBody { return .withoutBody }
    if let length { return .length(left: length) }
    return isHTTP11 ? .chunked : .untilClose
  }

  private mutating func passOverBody(_ input: inout ByteBuffer, _ exchange: Exchange) {
    var exchange = exchange
    while true {
      switch nextPart(&input, exchange) {
      case .end: return
      case .body:
        guard case .exchange(let next) = state else { return }
        exchange = next
      default:
        guard case .exchange(var rest) = state else { return }
        rest.keepsConnection = false
        rest.request = .failed(
          HTTPProtocolError(.misuse, "The body of a request was asked for after the response had begun"))
        state = .exchange(rest)
        return
      }
    }
  }

  /// The bytes to write for the next pieces of the body, together one chunk; none where the response has no body.
  /// - Parameter isLast: the response is complete with them.
  /// - Throws: `HTTPProtocolError.Kind.misuse` for a body that has no head or is not as long as the head says.
  public mutating func sendBody(
    _ pieces: [Bytes], isLast: Bool = false
  ) throws(HTTPProtocolError) -> [Bytes] {
    let count = pieces.byteCount
    guard count > 0 || isLast else { return [] }
    switch try passBody(count, isLast: isLast) {
    case .chunked:
      return count > 0 ? ChunkedEncoder.chunk(pieces, isLast: isLast) : [ChunkedEncoder.lastChunk]
    case .plain: return count > 0 ? pieces : []
    case .none: return []
    }
  }

  /// What is written before and behind the next `count` bytes of the body, at least one, which the driver sends itself, together one
  /// chunk; nil where the response has no body.
  /// - Throws: `HTTPProtocolError.Kind.misuse`, as `sendBody` does.
  public mutating func frameBody(_ count: Int) throws(HTTPProtocolError) -> (before: Bytes, behind: Bytes)? {
    precondition(count > 0)
    switch try passBody(count, isLast: false) {
    case .chunked: return (ChunkedEncoder.line(count), "\r\n")
    case .plain: return (Bytes(), Bytes())
    case .none: return nil
    }
  }

  /// How the bytes of a body are written.
  private enum BodyCoding {
    case chunked
    case plain
    /// Not at all.
    case none
  }

  private mutating func passBody(_ count: Int, isLast: Bool) throws(HTTPProtocolError) -> BodyCoding {
    guard case .exchange(var exchange) = state else { throw Self.bodyWithoutHead }
    let coding: BodyCoding
    switch exchange.response {
    case .waiting:
      throw count > 0 ? Self.bodyWithoutHead : HTTPProtocolError(.misuse, "A request was not answered")
    case .complete:
      guard count == 0 else { throw Self.bodyWithoutHead }
      coding = .none
    case .chunked: coding = .chunked
    case .length(let left):
      guard count <= left else {
        throw HTTPProtocolError(.misuse, "A response is longer than its Content-Length")
      }
      guard !isLast || count == left else {
        throw HTTPProtocolError(.misuse, "A response is shorter than its Content-Length")
      }
      exchange.response = .length(left: left - Int64(count))
      coding = .plain
    case .untilClose: coding = .plain
    case .withoutBody: coding = .none
    }
    if isLast { exchange.response = .complete }
    state = .exchange(exchange)
    return coding
  }

  /// True once all of the response has been passed to `sendBody`.
  public var isResponseComplete: Bool {
    if case .exchange(let exchange) = state, case .complete = exchange.response { true } else { false }
  }

  private static var bodyWithoutHead: HTTPProtocolError {
    HTTPProtocolError(.misuse, "A body was written before or after its response")
  }

  /// Lets the connection end after the response that is not begun yet.
  public mutating func closeAfterResponse() {
    guard case .exchange(var exchange) = state else { return }
    exchange.keepsConnection = false
    state = .exchange(exchange)
  }

  /// Continues with the next request, or ends the connection if there must not be one. Without a complete response the
  /// connection closes: a truncated body must not look complete.
  public mutating func startNextCycle() {
    guard case .exchange(let exchange) = state else { return }
    guard case .complete = exchange.response else {
      state = .closed
      return
    }
    state = exchange.keepsConnection ? .idle : .ending
  }
}

// MARK: Time and the server

extension HTTPServerConnection {
  /// The driver waits for more bytes from `now` on, a clock in nanoseconds. Sets `deadline`.
  public mutating func startWaiting(at now: UInt64) {
    let timeouts = options.timeouts
    switch state {
    case .idle: deadline = now + (isOverLimit ? timeouts.linger : timeouts.idle)
    case .head(let since):
      let since = since ?? now
      state = .head(since: since)
      deadline = since + (isOverLimit ? timeouts.linger : timeouts.head)
    case .exchange: deadline = now + timeouts.body
    case .lingering(let since, let discarded):
      let since = since ?? now
      state = .lingering(since: since, discarded: discarded)
      // A client that keeps sending is read for no longer than one that sends a body.
      deadline = min(now + timeouts.linger, since + (isOverLimit ? timeouts.linger : timeouts.body))
    case .failing, .ending, .closed: deadline = now
    }
  }

  /// The driver has received something.
  public mutating func stopWaiting() { deadline = nil }

  /// The deadline has passed. The driver calls `nextEvent` then as if bytes had come.
  public mutating func timeOut() {
    deadline = nil
    switch state {
    case .idle: state = overLimit.map { .failing($0) } ?? .closed
    case .head: state = .failing(overLimit ?? timedOut("head was not complete after", options.timeouts.head))
    case .exchange(var exchange):
      exchange.request = .failed(timedOut("body stopped for", options.timeouts.body))
      state = .exchange(exchange)
    case .lingering: state = .closed
    case .failing, .ending, .closed: break
    }
  }

  private func timedOut(_ what: String, _ nanoseconds: UInt64) -> HTTPProtocolError {
    HTTPProtocolError(
      .timedOut, "The request's \(what) \(Duration.nanoseconds(Int64(clamping: nanoseconds)))")
  }

  /// The server serves no new requests: an idle connection closes, others do after their response. A driver that waits
  /// calls `nextEvent` then as if bytes had come.
  public mutating func drain() {
    isDraining = true
    if case .idle = state, deadline != nil { state = .closed }
  }

  /// Ends a connection that is over the limit, and does not linger.
  /// - Returns: false if a request is being answered, so that the driver has to break the connection off.
  public mutating func evict() -> Bool {
    isEvicted = true
    switch state {
    case .idle, .head: state = overLimit.map { .failing($0) } ?? .closed
    case .exchange: return false
    case .lingering, .ending: state = .closed
    case .failing, .closed: break
    }
    return true
  }
}

extension HTTPRequestHead {
  /// True if the client waits for 100 before it sends the body. HTTP/1.0 does not know interim responses, so a client
  /// behind an older proxy must not get one (RFC 9110, 10.1.1).
  fileprivate var expectsContinue: Bool {
    version == .http11 && fields.list("Expect", contains: "100-continue")
  }
}
