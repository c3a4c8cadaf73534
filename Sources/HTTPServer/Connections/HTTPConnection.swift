import Loop
import Bytes
import Wire

/// One connection: reads requests and answers them, one after the other.
@LoopActor
final class HTTPConnection {
  /// What the connection waits for, and since when (in nanoseconds, by `ConnectionTimeouts.now`).
  enum Waiting {
    case request
    case head(since: UInt64)
    case body
    case goodbye(since: UInt64)
  }

  /// So many requests that have arrived together are answered before others are served.
  private static let longestRun = 16

  /// So much of what a client sends that is refused for being one too many is read.
  private static let mostReadOfSurplus = 64 << 10

  let server: HTTPServer
  /// One beyond the limit: it gets one answer, which is mostly a refusal.
  let isSurplus: Bool
  private let stream: any ByteStream
  let peerAddress: SocketAddress?
  private var parser: HTTPRequestParser
  private var waiting: (for: Waiting, since: UInt64)?
  /// How many requests were answered since the connection last waited for its client.
  private var answered = 0
  /// The answer that is being given.
  private var response: ResponseWriter?
  /// The time-out that has been answered; all that is left is to end.
  private var expiry: HTTPErrorResponse?
  private var stall = WriteStall()
  /// The client has taken nothing for too long.
  private var hasStalled = false

  init(
    _ stream: any ByteStream, from peerAddress: SocketAddress?, to server: HTTPServer, isSurplus: Bool
  ) {
    self.stream = stream
    self.peerAddress = peerAddress
    self.server = server
    self.isSurplus = isSurplus
    self.parser = HTTPRequestParser(limits: server.options.limits)
  }

  var options: HTTPServerOptions { server.options }

  var bodyTooLong: HTTPErrorResponse {
    HTTPErrorResponse(413, "The request's body is longer than \(options.maximumBodyLength) bytes")
  }

  /// Serves the connection until it ends, and closes it.
  func run() async {
    do {
      while let (head, framing) = try await nextHead() {
        guard try await respond(to: head, framing) else { break }
        answered += 1
        // A client that sends many requests at once must not keep the loop from everybody else.
        if answered.isMultiple(of: Self.longestRun) { await Task.yield() }
      }
      try await linger()
    } catch {
      // The connection is broken, closed or no longer wanted; whoever had an interest in it has been told.
    }
    await stream.close()
  }

  // MARK: Reading

  /// The next event from what has arrived.
  func nextEvent() throws(HTTPErrorResponse) -> HTTPRequestParser.Event? {
    do throws(HTTPProtocolError) {
      return try parser.next(&stream.inbound)
    } catch {
      throw HTTPErrorResponse(error)
    }
  }

  /// True when nothing has arrived that was not taken.
  var hasNothingUnread: Bool { stream.inbound.isEmpty }

  /// Waits for more of a body; false at the end of the connection.
  func fillBody() async throws -> Bool {
    do {
      return try await fill(.body)
    } catch  where !(error is HTTPErrorResponse || error is CancellationError) {
      throw ClientIsGone(cause: error)
    }
  }

  /// Reads nothing more until somebody waits for it.
  func stopReading() { stream.pauseInput() }

  /// The next request's head; nil when there will be none, or one that was refused.
  private func nextHead() async throws -> (HTTPRequestHead, BodyFraming)? {
    var firstByte: UInt64?
    while true {
      do {
        if case .head(let head, let framing)? = try nextEvent() { return (head, framing) }
      } catch {
        try await refuse(error)
        return nil
      }
      if stream.inbound.isEmpty {
        if server.isDraining { return nil }
        guard try await fill(.request) else { return nil }
      } else {
        let since = firstByte ?? server.watch.now
        firstByte = since
        guard try await fill(.head(since: since)) else { return nil }
      }
    }
  }

  private func fill(_ reason: Waiting) async throws -> Bool {
    if let expiry { throw expiry }
    answered = 0
    waiting = (reason, server.watch.now)
    defer { waiting = nil }
    do {
      let hasMore = try await stream.fill()
      if let expiry { throw expiry }
      return hasMore
    } catch {
      throw expiry ?? error
    }
  }

  // MARK: Answering

  func write(_ pieces: [Bytes]) async throws {
    do {
      try await stream.write(pieces)
    } catch  where !(error is CancellationError) {
      throw ClientIsGone(cause: error)
    }
  }

  /// Answers one request; false when the connection cannot go on.
  private func respond(to head: HTTPRequestHead, _ framing: BodyFraming) async throws -> Bool {
    let body = RequestBody(framing, of: self, expectsContinue: head.expectsContinue)
    let response = ResponseWriter(
      to: head, id: server.nextRequestID(), body: body, on: self)
    self.response = response
    defer {
      self.response = nil
      body.freeMemory()
    }
    do {
      let target = try check(head, framing, for: response)
      let request = Request(
        head: head, target: target, id: response.id, body: body, peerAddress: peerAddress)
      try await server.handler(request, response)
      try await response.complete()
    } catch {
      await response.fail(error)
    }
    server.log.finished(response)
    return response.keepsConnection
  }

  /// Refuses what no handler should see. Who sends such requests is not given a second one on this connection.
  private func check(
    _ head: HTTPRequestHead, _ framing: BodyFraming, for response: ResponseWriter
  ) throws -> RequestTarget {
    do {
      let target = try RequestTarget(head.target, method: head.method)
      try checkSender(target, head)
      if isSurplus {
        response.endConnection()
        guard target.path == options.pathBeyondLimit else { throw tooManyConnections }
      }
      if head.version == .http11, !head.expectsContinue, let expectation = head.fields.first("Expect") {
        throw HTTPErrorResponse(417, "Nothing is known here of the expectation \(expectation)")
      }
      if case .length(let length) = framing, length > options.maximumBodyLength { throw bodyTooLong }
      return target
    } catch {
      response.endConnection()
      throw error
    }
  }

  /// Refuses what a page of another site may have made a browser send: requests to names that somebody else may have led
  /// here (DNS rebinding), and those whose `Origin` is not ours. HTTP/1.0 may do without a `Host`.
  private func checkSender(_ target: RequestTarget, _ head: HTTPRequestHead) throws(HTTPErrorResponse) {
    let field = head.fields.first("Host")
    let origin = head.fields.first("Origin")
    if target.host == nil, origin == nil, field == server.knownHost { return }
    let host = target.host ?? field.flatMap(HTTPHost.init)
    if let host, !options.allows(host) {
      throw HTTPErrorResponse(
        421,
        "This server does not go by the name \(host.name). --allowed-host \(host.name) lets it, and addresses work"
      )
    }
    if origin != nil {
      for value in head.fields.all("Origin") {
        guard let host, RequestOrigin(value)?.isSame(as: host) ?? false else {
          throw HTTPErrorResponse(
            403, "Pages of \(value) must not use this server: Origin has to name the host that Host names")
        }
      }
    } else if target.host == nil {
      server.knownHost = field
    }
  }

  private var tooManyConnections: HTTPErrorResponse {
    .unavailable("\(options.maximumConnections) connections are open, and no more are allowed; try again")
  }

  /// Answers what is not a request.
  private func refuse(_ failure: HTTPErrorResponse) async throws {
    let response = ResponseWriter(to: nil, id: server.nextRequestID(), body: nil, on: self)
    await response.fail(failure)
    server.log.finished(response)
  }

  // MARK: Ending

  /// Sends what is queued and FIN, then waits for the client's, for a while: to close with bytes unread would reset the
  /// connection, and take our answer from the client before it has read it.
  private func linger() async throws {
    try await stream.shutdownOutput()
    let since = server.watch.now
    var discarded = 0
    repeat {
      discarded += stream.inbound.count
      stream.inbound.discard(stream.inbound.count)
      if isSurplus, discarded > Self.mostReadOfSurplus { return }
    } while try await fill(.goodbye(since: since))
  }

  /// Waits until the client has gone, or the task is cancelled.
  func untilClientIsGone() async {
    await stream.untilPeerIsGone()
    // With the input full of pipelined requests nothing can be noticed before some of it is read.
    while !isClientGone, !Task.isCancelled {
      do { try await EventLoop.sleep(for: .seconds(1)) } catch { return }
      await stream.untilPeerIsGone()
    }
  }

  var isClientGone: Bool { hasStalled || stream.isPeerGone }

  func abort() { stream.abort() }

  /// Ends the connection if it waits for nothing but a next request.
  func abortIfIdle() {
    if case .request? = waiting?.for { stream.abort() }
  }

  /// Called now and then: ends what has waited too long.
  func expire(at now: UInt64, _ timeouts: HTTPTimeouts) {
    if stall.duration(at: stream.outputProgress, now: now) >= timeouts.write { return giveUp() }
    guard let (reason, since) = waiting else { return }
    switch reason {
    case .request where isSurplus && now >= since + timeouts.goodbye: answer(tooManyConnections, at: now)
    case .request where now >= since + timeouts.idle: stream.abort()
    case .goodbye(let begin)
    where now >= since + timeouts.goodbye || now >= begin + (isSurplus ? timeouts.goodbye : timeouts.body):
      stream.abort()
    case .head(let since) where isSurplus && now >= since + timeouts.goodbye:
      answer(tooManyConnections, at: now)
    case .head(let since) where now >= since + timeouts.head:
      answer(HTTPErrorResponse(408, "The request's head was not whole after \(options.headTimeout)"), at: now)
    case .body where now >= since + timeouts.body:
      answer(HTTPErrorResponse(408, "The request's body stood still for \(options.bodyTimeout)"), at: now)
    default: break
    }
  }

  /// Refuses a connection that waits, and closes it without waiting for its client.
  func refuseAtOnce() {
    guard response == nil, expiry == nil else { return stream.abort() }
    expiry = tooManyConnections
    LoopActor.task { [self] in
      try? await refuse(tooManyConnections)
      stream.abort()
    }
  }

  /// Breaks off a connection whose client takes nothing. Whoever writes to it, or waits for its end, is told.
  private func giveUp() {
    guard !hasStalled else { return }
    hasStalled = true
    server.log.stalled(response)
    stream.reset()
  }

  /// Answers a time-out beside the task that waits for the client. That task wakes when the client, or at last we
  /// ourselves, close the connection.
  private func answer(_ failure: HTTPErrorResponse, at now: UInt64) {
    expiry = failure
    waiting = (.goodbye(since: now), now)
    LoopActor.task { [self] in
      if let response {
        await response.fail(failure)
      } else {
        try? await refuse(failure)
      }
      try? await stream.shutdownOutput()
    }
  }
}

extension HTTPRequestHead {
  /// True when the client waits to be told that its body is wanted. HTTP/1.0 does not know of that, so whoever passed
  /// such a request on must not be sent an interim response (RFC 9110, 10.1.1).
  fileprivate var expectsContinue: Bool {
    version == .http11 && fields.list("Expect", contains: "100-continue")
  }
}
