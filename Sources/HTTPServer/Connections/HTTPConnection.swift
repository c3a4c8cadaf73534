import Loop
import Bytes
import Wire

/// Serves one connection in one task: performs the events of an `HTTPServerConnection` on a stream.
@LoopActor
final class HTTPConnection {
  /// The number of pipelined requests that are answered before other connections get a turn.
  private static let maximumRun = 16

  let server: HTTPServer
  private let socket: SocketStream
  private let identity: TLSIdentity?
  let peerAddress: SocketAddress?
  var http: HTTPServerConnection
  /// The response that is being sent, and the body of its request.
  private(set) var response: ResponseWriter?
  private(set) var body: RequestBody?
  /// The socket, or TLS over it.
  private var stream: any ByteStream
  private var security: Security
  private var stall = WriteStall()
  /// True if the client read nothing for too long.
  private var hasStalled = false
  /// The number of requests answered since the connection last waited for its client.
  private var answered = 0

  private enum Security {
    case handshake(since: UInt64?)
    /// The connection carries requests, with TLS where the server has a certificate.
    case settled
    /// The client speaks HTTP without TLS to a server that has a certificate. It is told so.
    case missing
  }

  /// - Parameters:
  ///   - identity: makes it a TLS connection.
  ///   - overLimit: see `HTTPServerConnection`.
  init(_ socket: SocketStream, _ identity: TLSIdentity?, to server: HTTPServer, overLimit: HTTPProtocolError?)
  {
    stream = socket
    self.socket = socket
    self.identity = identity
    self.server = server
    peerAddress = socket.peerAddress
    security = identity == nil ? .settled : .handshake(since: nil)
    http = HTTPServerConnection(options: server.connectionOptions, overLimit: overLimit)
    if server.isDraining { http.drain() }
  }

  /// Serves the connection until it ends, and closes it.
  func run() async {
    do {
      if let identity { try await secure(with: identity) }
      try await serve()
    } catch {
      // The connection is broken or cancelled; the handler has been notified.
    }
    await stream.close()
  }

  // MARK: TLS

  private func secure(with identity: TLSIdentity) async throws {
    // Only now: the clock of the time-outs stands while there is no connection.
    security = .handshake(since: server.timeouts.now)
    do {
      while socket.inbound.isEmpty {
        guard try await socket.fill() else { throw UVError.endOfFile }
      }
      if socket.inbound.beginsLikeMethod {
        server.log.missingTLS(peerAddress)
        security = .missing
        return
      }
      let secured = try TLSStream.server(over: socket, identity)
      stream = secured
      try await secured.handshake()
      security = .settled
    } catch {
      // This server has closed it, because it stops, needs the room, or has waited for too long.
      if (error as? UVError) != .cancelled { server.log.handshakeFailed("\(error)", peerAddress) }
      throw error
    }
  }

  private func serve() async throws {
    while true {
      switch nextEvent() {
      case .request(let head, let target, let framing): await respond(head, target, framing)
      case .failed(let error, let head): await refuse(error, head)
      case .needsData: try await fill()
      case .shutdownOutput: try await stream.shutdownOutput()
      // The parts of a body are for `RequestBody`, while a request is answered.
      case .close, .body, .end, .send: return
      }
    }
  }

  // MARK: Reading

  func nextEvent() -> HTTPServerConnection.Event { http.nextEvent(&stream.inbound) }

  /// Waits for more bytes, the client's FIN or a time-out.
  func fill() async throws {
    answered = 0
    http.startWaiting(at: server.timeouts.now)
    defer { http.stopWaiting() }
    do {
      if try await !stream.fill() { http.receiveEOF() }
    } catch  where !(error is CancellationError) {
      throw ClientDisconnected(cause: error)
    }
  }

  /// Stops reading until a task waits for more.
  func pauseInput() { stream.pauseInput() }

  // MARK: Responding

  private func respond(_ head: HTTPRequestHead, _ target: RequestTarget, _ framing: BodyFraming) async {
    let body = RequestBody(framing, of: self)
    let response = ResponseWriter(to: head, id: server.nextRequestID(), on: self)
    self.body = body
    self.response = response
    do {
      let request = Request(head: head, target: target, id: response.id, body: body)
      if try check(request, response) {
        try await response.send(204, fields: CrossOriginFields.preflight(request.fields))
      } else {
        if let before = server.before { try await before(request, response) }
        try await server.handler(request, response)
        try await response.finish()
      }
    } catch {
      await response.fail(error)
    }
    body.freeMemory()
    self.body = nil
    finish(response)
    answered += 1
    // Many pipelined requests must not block the loop.
    if answered.isMultiple(of: Self.maximumRun) { await Task.yield() }
  }

  private func check(_ request: Request, _ response: ResponseWriter) throws(HTTPErrorResponse) -> Bool {
    do throws(HTTPErrorResponse) {
      if case .missing = security { throw HTTPErrorResponse(400, "This port speaks TLS. Use https://") }
      return try server.check(request, response, isOverLimit: http.isOverLimit)
    } catch {
      // The client gets no second request on this connection.
      http.closeAfterResponse()
      throw error
    }
  }

  /// Responds to a malformed request.
  private func refuse(_ error: HTTPProtocolError, _ head: HTTPRequestHead?) async {
    let response = ResponseWriter(to: head, id: server.nextRequestID(), on: self)
    self.response = response
    await response.fail(HTTPErrorResponse(error))
    finish(response)
  }

  private func finish(_ response: ResponseWriter) {
    server.log.finished(response)
    self.response = nil
    http.startNextCycle()
  }

  /// Appends to a response's status line and fields what `HTTPServerConnection` adds to them.
  func startResponse(_ status: Int, length: Int64?, head: inout ByteBuffer) throws(HTTPProtocolError) {
    try http.startResponse(status, length: length, head: &head, unread: &stream.inbound)
  }

  func write(_ pieces: [Bytes]) async throws {
    do {
      try await stream.write(pieces)
    } catch  where !(error is CancellationError) {
      throw ClientDisconnected(cause: error)
    }
  }

  /// Sends a part of a file.
  func write(_ part: FilePart) async throws {
    var rest = part
    while !rest.isEmpty {
      try await flush()
      let block = try await stream.send(&rest)
      if !block.isEmpty { try await write([block]) }
    }
  }

  private func flush() async throws {
    do {
      try await stream.flush()
    } catch  where !(error is CancellationError) {
      throw ClientDisconnected(cause: error)
    }
  }

  // MARK: The client

  /// Waits until the client has gone, or the task is cancelled.
  func untilClientDisconnects() async {
    await stream.untilPeerIsGone()
    // While the input is full of pipelined requests, a disconnect cannot be noticed.
    while !isClientDisconnected, !Task.isCancelled {
      do { try await EventLoop.sleep(for: .seconds(1)) } catch { return }
      await stream.untilPeerIsGone()
    }
  }

  var isClientDisconnected: Bool { hasStalled || stream.isPeerGone }

  // MARK: Ending

  /// Breaks the connection off. Tasks that read or write get an error.
  func abort() { stream.abort() }

  /// Serves no new requests.
  func drain() {
    if case .handshake = security { return abort() }
    http.drain()
    stream.wakeReader()
  }

  /// Ends a connection that is over the limit and makes room for a newer one.
  func evict() {
    if case .handshake = security { return abort() }
    if http.evict() { stream.wakeReader() } else { abort() }
  }

  /// Checks periodically whether the client has kept the connection waiting for too long.
  func checkTimeouts(at now: UInt64) {
    if case .handshake(let since) = security {
      let timeouts = server.connectionOptions.timeouts
      let limit = http.isOverLimit ? timeouts.linger : timeouts.head
      guard let since, now >= since + limit else { return }
      server.log.handshakeFailed("it was not done after \(limit / 1_000_000_000) s", peerAddress)
      return abort()
    }
    if let deadline = http.deadline, now >= deadline {
      http.timeOut()
      stream.wakeReader()
    }
    guard stall.duration(at: stream.outputProgress, now: now) >= server.timeouts.write, !hasStalled else {
      return
    }
    hasStalled = true
    server.log.stalled(response)
    stream.reset()
  }
}

extension ByteBuffer {
  /// True if the first byte may be that of a method, and not that of a TLS record (RFC 8446, 5.1: 22).
  fileprivate var beginsLikeMethod: Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self[0]) }
}

/// Measures for how long a client has read nothing of the queued bytes.
struct WriteStall {
  private var progress: Int?
  private var since: UInt64 = 0

  /// Records the progress at `now`: a count that grows as the client reads, nil while nothing is queued.
  /// - Returns: for how long the client has read nothing, in the unit of `now`.
  mutating func duration(at progress: Int?, now: UInt64) -> UInt64 {
    if progress == nil || progress != self.progress { since = now }
    self.progress = progress
    return now - since
  }
}
