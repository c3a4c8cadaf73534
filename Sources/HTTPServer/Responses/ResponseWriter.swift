public import Loop
public import Bytes
public import Wire

/// Sends one response: in one call with `send`, or in pieces with `start`, `write` and `finish`.
///
/// The body of a response to `HEAD` is omitted. `send`, `start`, `write` and `finish` throw `ClientDisconnected`,
/// `CancellationError`, and `HTTPProtocolError` for an invalid response.
@LoopActor
public final class ResponseWriter {
  /// Names the request in the log and in the response.
  let id: String
  /// The status, once the response has begun.
  private(set) var status: Int?
  /// Fields of every response to this request, but for error responses.
  public var standingFields = HTTPFields()
  /// Fields of every response to this request. A page of another site can read an error, too.
  var crossOriginFields = HTTPFields()

  let head: HTTPRequestHead?
  let began = EventLoop.now
  /// Bytes of the body that were sent.
  private(set) var bodyCount: Int64 = 0

  /// The largest body that is copied behind its head, in bytes.
  private static let smallBody = 4096
  /// Room for a usual head, in bytes.
  private static let usualHead = 512
  /// Some error messages repeat input of the client; this many bytes of it are enough.
  private static let longestMessage = 1000

  private let connection: HTTPConnection

  init(to head: HTTPRequestHead?, id: String, on connection: HTTPConnection) {
    self.head = head
    self.id = id
    self.connection = connection
  }

  /// True once the status has been sent.
  public var hasStarted: Bool { status != nil }

  /// False for `HEAD`: a handler need not make the body, and may `finish` at once.
  public var sendsBody: Bool { head?.method != "HEAD" }

  // MARK: Responding

  /// Sends a whole response.
  public func send(_ status: Int, fields: HTTPFields = HTTPFields(), body: Bytes = Bytes()) async throws {
    var head = try encodeHead(status, fields, length: Int64(body.count))
    let pieces = try encodeBody([body], isLast: true)
    // A small body is copied behind the head; a large one is not copied.
    if body.count <= Self.smallBody {
      for piece in pieces { head.append(piece) }
      try await connection.write([head.takeAll()])
    } else {
      try await connection.write([head.takeAll()] + pieces)
    }
  }

  /// Begins a response and sends its head.
  ///
  /// Without `length` the body is chunked, or ends with the connection where the client speaks HTTP/1.0.
  public func start(_ status: Int, fields: HTTPFields = HTTPFields(), length: Int64? = nil) async throws {
    var head = try encodeHead(status, fields, length: length)
    try await connection.write([head.takeAll()])
  }

  /// Sends the next pieces of the body, as one chunk. Returns when there is room for more.
  public func write(_ pieces: [Bytes]) async throws {
    let output = try encodeBody(pieces, isLast: false)
    if !output.isEmpty { try await connection.write(output) }
  }

  /// Sends a part of a file as one chunk, if possible without a copy in this process. Returns when there is room for more.
  public func write(_ part: FilePart) async throws {
    try checkCurrent()
    guard !part.isEmpty, let (before, behind) = try connection.http.frameBody(part.count) else { return }
    bodyCount += Int64(part.count)
    try await connection.write([before])
    try await connection.write(part)
    try await connection.write([behind])
  }

  /// Sends the last pieces of the body and its end, in one write.
  public func finish(_ pieces: [Bytes] = []) async throws {
    let output = try encodeBody(pieces, isLast: true)
    if !output.isEmpty { try await connection.write(output) }
  }

  private func encodeBody(_ pieces: [Bytes], isLast: Bool) throws(HTTPProtocolError) -> [Bytes] {
    try checkCurrent()
    let output = try connection.http.sendBody(pieces, isLast: isLast)
    if !output.isEmpty { bodyCount += Int64(pieces.byteCount) }
    return output
  }

  private func encodeHead(
    _ status: Int, _ fields: HTTPFields, length: Int64?
  ) throws(HTTPProtocolError) -> ByteBuffer {
    try checkCurrent()
    var head = ByteBuffer()
    head.reserve(Self.usualHead)
    try HTTPResponseHead.encodeStatusLine(status, into: &head)
    try fields.encodeLines(into: &head)
    try standingFields.encodeLines(into: &head)
    try crossOriginFields.encodeLines(into: &head)
    head.append(connection.server.date.current)
    head.append("X-Request-ID: ")
    head.append(id)
    // E2B's clients look for this name.
    head.append("\r\nX-E2B-Trace-ID: ")
    head.append(id)
    head.append("\r\n")
    try connection.startResponse(status, length: length, head: &head)
    self.status = status
    return head
  }

  /// A task that outlives its request must not write into the next response.
  private func checkCurrent() throws(HTTPProtocolError) {
    guard connection.response === self else {
      throw HTTPProtocolError(.misuse, "A response was written to after its request was over")
    }
  }

  // MARK: The client

  /// Waits until the client has closed the connection or it broke (`isClientDisconnected`), or the task is cancelled.
  ///
  /// A client that has only sent FIN counts as gone, since on the wire it looks like one that closed the connection.
  /// That matters only to handlers that wait with this; all other responses are sent to it.
  public func untilClientDisconnects() async { await connection.untilClientDisconnects() }

  /// True once the client has closed the connection or it broke.
  public var isClientDisconnected: Bool { connection.isClientDisconnected }

  /// For handlers that wait with `untilClientDisconnects`, and for which nobody need wait any more.
  ///
  /// - Throws: `ClientDisconnected` once the client has closed the connection or it broke.
  public func checkClient() throws {
    if isClientDisconnected { throw ClientDisconnected(cause: UVError.endOfFile) }
  }

  /// The client; nil for Unix sockets.
  public var peerAddress: SocketAddress? { connection.peerAddress }

  /// Lets the connection end after the response, which has not begun yet.
  public func closeConnection() { connection.http.closeAfterResponse() }
}

extension ResponseWriter {
  /// Sends an error response, or aborts the connection if a response has begun: a truncated body must not look
  /// complete.
  func fail(_ error: any Error) async {
    if connection.http.isResponseComplete { return }
    if error is ClientDisconnected || (error is CancellationError && Task.isCancelled) {
      return connection.abort()
    }
    let failure = errorResponse(for: error)
    guard !hasStarted else {
      if failure.status < 500 { connection.server.log.failed(error, self) }
      return connection.abort()
    }
    var fields = failure.fields
    fields.set("Content-Type", "text/plain; charset=utf-8")
    standingFields = .isolation
    let message = String(decoding: failure.message.utf8.prefix(Self.longestMessage), as: UTF8.self)
    let line = message.split(whereSeparator: \.isNewline).joined(separator: " ") + "\n"
    do { try await send(failure.status, fields: fields, body: Bytes(line)) } catch { connection.abort() }
  }

  /// The response for the client; internal errors go to the log.
  private func errorResponse(for error: any Error) -> HTTPErrorResponse {
    switch error {
    case let failure as HTTPErrorResponse where failure.status < 500 || failure.status == 503: return failure
    case let error as HTTPProtocolError where error.statusHint != 500: return HTTPErrorResponse(error)
    default:
      connection.server.log.failed(error, self)
      if let failure = error as? HTTPErrorResponse, failure.status != 500 { return failure }
      return HTTPErrorResponse(
        500, "Internal error. The log has the reason, under the request id \(id)")
    }
  }
}

extension HTTPFields {
  /// For responses with content of others: files, which user code may have written, and error messages, which repeat
  /// input of the client. Browsers then do not guess other types. Scripts of a page run in an opaque origin (`sandbox`
  /// without `allow-same-origin`), so they cannot send requests to this server. Pages of other sites cannot embed the
  /// response.
  public static let isolation: HTTPFields = [
    "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox allow-scripts",
    "Cross-Origin-Resource-Policy": "same-origin",
  ]
}
