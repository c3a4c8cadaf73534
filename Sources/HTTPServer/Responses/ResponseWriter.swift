public import Loop
public import Bytes
public import Wire

/// Gives one answer: `send` for a whole one, or `start`, `write` and `finish` for one that comes in pieces.
///
/// Bodies are left out by themselves where the request was `HEAD`. Errors of `send`, `start`, `write` and `finish` are
/// `ClientIsGone`, `CancellationError`, and `HTTPErrorResponse` (500) for answers that cannot be given so.
@LoopActor
public final class ResponseWriter {
  /// Names the request in the log and in the answer.
  public let id: String
  /// The status, once the answer has begun.
  public private(set) var status: Int?

  /// Fields that the answer has whatever it is, a refusal included.
  public var standingFields = HTTPFields()

  let head: HTTPRequestHead?
  let began = EventLoop.now
  /// Bytes of the body that were sent.
  private(set) var bodyCount: Int64 = 0

  /// Some refusals repeat what the client has sent; so many bytes of that will do.
  private static let longestRefusal = 1000

  private enum State {
    case waiting
    case chunked
    case length(left: Int64)
    case untilClose
    /// The client is told the length, but sent nothing: HEAD, 204, 304.
    case withoutBody
    case complete
  }

  private var state = State.waiting
  private let connection: HTTPConnection
  private let body: RequestBody?
  private var mayKeepConnection: Bool

  init(to head: HTTPRequestHead?, id: String, body: RequestBody?, on connection: HTTPConnection) {
    self.head = head
    self.id = id
    self.body = body
    self.connection = connection
    self.mayKeepConnection = head?.keepsConnection ?? false
  }

  /// True once the status has been sent.
  public var hasStarted: Bool { status != nil }

  /// False for `HEAD`: whoever would have to work for the body may leave it out and `finish` at once.
  public var sendsBody: Bool { head?.method != "HEAD" }

  // MARK: Answering

  /// Answers with all of a body.
  public func send(_ status: Int, fields: HTTPFields = HTTPFields(), body: Bytes = Bytes()) async throws {
    var buffer = try begin(status, fields, length: Int64(body.count))
    let sentCount = hasBody ? body.count : 0
    state = .complete
    bodyCount = Int64(sentCount)
    // A small body travels in the head's memory; a large one is not worth copying.
    if sentCount <= ResponseWriter.smallBody {
      if sentCount > 0 { buffer.append(body) }
      try await connection.write([buffer.takeAll()])
    } else {
      try await connection.write([buffer.takeAll(), body])
    }
  }

  /// Begins an answer whose body comes later. Its head is sent at once.
  ///
  /// Without `length` the body is chunked, or lasts until the connection ends where the client speaks HTTP/1.0.
  public func start(_ status: Int, fields: HTTPFields = HTTPFields(), length: Int64? = nil) async throws {
    var buffer = try begin(status, fields, length: length)
    try await connection.write([buffer.takeAll()])
  }

  /// Sends the next pieces of the body at once, as one chunk. Returns when the client has taken so much that more is
  /// welcome.
  public func write(_ pieces: [Bytes]) async throws {
    let count = pieces.reduce(0) { $0 + $1.count }
    guard count > 0 else { return }
    switch state {
    case .chunked:
      bodyCount += Int64(count)
      try await connection.write(ChunkedEncoder.chunk(pieces))
    case .length(let left):
      guard count <= left else { throw HTTPErrorResponse(500, "An answer is longer than its Content-Length") }
      state = .length(left: left - Int64(count))
      bodyCount += Int64(count)
      try await connection.write(pieces)
    case .untilClose:
      bodyCount += Int64(count)
      try await connection.write(pieces)
    case .withoutBody: break
    case .waiting, .complete: throw HTTPErrorResponse(500, "A body was written before or after its answer")
    }
  }

  /// Sends the last pieces of the body and its end, in one write.
  public func finish(_ pieces: [Bytes]) async throws {
    let count = pieces.reduce(0) { $0 + $1.count }
    guard case .chunked = state, count > 0 else {
      try await write(pieces)
      return try await finish()
    }
    state = .complete
    bodyCount += Int64(count)
    try await connection.write(ChunkedEncoder.chunk(pieces, isLast: true))
  }

  /// Ends the body.
  public func finish() async throws {
    switch state {
    case .chunked:
      state = .complete
      try await connection.write([ChunkedEncoder.terminator])
    case .length(left: 0), .untilClose, .withoutBody: state = .complete
    case .length: throw HTTPErrorResponse(500, "An answer is shorter than its Content-Length")
    case .waiting: throw HTTPErrorResponse(500, "A request was not answered")
    case .complete: break
    }
  }

  // MARK: The client

  /// Waits until the client has closed the connection or it broke, or the task is cancelled (`isClientGone` tells).
  ///
  /// A client that has only ended its own side of the connection counts as gone, since on the wire it looks like one
  /// that closed it. That matters to answers that somebody waits beside with this; all others are sent to it.
  public func untilClientIsGone() async { await connection.untilClientIsGone() }

  /// True once the client has closed the connection or it broke.
  public var isClientGone: Bool { connection.isClientGone }
}

extension ResponseWriter {
  /// The largest body that is copied behind its head.
  private static let smallBody = 4096

  /// Who has sent the request; nil for Unix sockets.
  var peerAddress: SocketAddress? { connection.peerAddress }

  /// True when the connection can serve another request after this answer.
  var keepsConnection: Bool {
    if case .complete = state { mayKeepConnection } else { false }
  }

  private var hasBody: Bool {
    if case .withoutBody = state { false } else { true }
  }

  /// Lets the connection end after this answer.
  func endConnection() { mayKeepConnection = false }

  /// Ends what a handler left open, and asks for an answer where it gave none.
  func complete() async throws { try await finish() }

  /// Makes an answer of an error, or breaks the connection off where one has begun: a body cut short must not look whole.
  func fail(_ error: any Error) async {
    if case .complete = state { return }
    if error is ClientIsGone || (error is CancellationError && Task.isCancelled) {
      mayKeepConnection = false
      return connection.abort()
    }
    let failure = refusal(for: error)
    guard !hasStarted else {
      if failure.status < 500 { connection.server.log.failed(error, self) }
      mayKeepConnection = false
      return connection.abort()
    }
    var fields = failure.fields
    fields.set("Content-Type", "text/plain; charset=utf-8")
    standingFields = .isolation
    let message = String(decoding: failure.message.utf8.prefix(Self.longestRefusal), as: UTF8.self)
    let line = message.split(whereSeparator: \.isNewline).joined(separator: " ") + "\n"
    do {
      try await send(failure.status, fields: fields, body: Bytes(line))
    } catch {
      mayKeepConnection = false
      connection.abort()
    }
  }

  /// What to tell the client; what it must not know goes to the log.
  private func refusal(for error: any Error) -> HTTPErrorResponse {
    switch error {
    case let failure as HTTPErrorResponse where failure.status < 500 || failure.status == 503: return failure
    case let error as HTTPProtocolError where error.statusHint != 500: return HTTPErrorResponse(error)
    default:
      connection.server.log.failed(error, self)
      if let failure = error as? HTTPErrorResponse, failure.status != 500 { return failure }
      return HTTPErrorResponse(
        500, "Something went wrong here. The log says what, under the request id \(id)")
    }
  }

  /// Writes the head, and decides how the body is sent and whether the connection goes on.
  private func begin(_ status: Int, _ fields: HTTPFields, length: Int64?) throws -> ByteBuffer {
    guard case .waiting = state else { throw HTTPErrorResponse(500, "A request was answered twice") }
    var buffer = ByteBuffer()
    buffer.reserve(ResponseWriter.usualHead)
    do {
      try HTTPResponseHead.encodeStatusLine(status, into: &buffer)
      try fields.encodeLines(into: &buffer)
      try standingFields.encodeLines(into: &buffer)
    } catch {
      throw HTTPErrorResponse(error)
    }
    buffer.append(connection.server.date.current)
    buffer.append("X-Request-ID: ")
    buffer.append(id)
    // The same under the name that E2B's clients look for.
    buffer.append("\r\nX-E2B-Trace-ID: ")
    buffer.append(id)
    let speaks11 = head?.version == .http11
    state = framing(status, length: length, speaks11: speaks11)
    appendFraming(status, length, speaks11, to: &buffer)
    if case .untilClose = state { mayKeepConnection = false }
    if !(body?.passOver() ?? false) || connection.server.isDraining { mayKeepConnection = false }
    appendConnection(speaks11, to: &buffer)
    self.status = status
    return buffer
  }

  /// Memory for a head as most are.
  private static let usualHead = 512

  private func framing(_ status: Int, length: Int64?, speaks11: Bool) -> State {
    if !sendsBody || status == 204 || status == 304 { return .withoutBody }
    if let length { return .length(left: length) }
    return speaks11 ? .chunked : .untilClose
  }

  private func appendFraming(_ status: Int, _ length: Int64?, _ speaks11: Bool, to buffer: inout ByteBuffer) {
    // RFC 9110, 8.6: never with 204; with 304 and HEAD it would be the length of what is not sent, so it may be there.
    if status == 204 || (status == 304 && length == 0) { return }
    if let length {
      buffer.append("\r\nContent-Length: ")
      buffer.append(String(length))
    } else if speaks11 {
      buffer.append("\r\nTransfer-Encoding: chunked")
    }
  }

  private func appendConnection(_ speaks11: Bool, to buffer: inout ByteBuffer) {
    if !mayKeepConnection {
      buffer.append("\r\nConnection: close\r\n\r\n")
    } else if !speaks11 {
      buffer.append("\r\nConnection: keep-alive\r\n\r\n")
    } else {
      buffer.append("\r\n\r\n")
    }
  }
}
