public import Logging
public import Loop
import Bytes
import DequeModule
import Wire

/// An HTTP/1.1 server: accepts connections from a listener and gives their requests to a handler.
@LoopActor
public final class HTTPServer {
  /// Answers one request. An error that it throws becomes an error response: an `HTTPErrorResponse` as it is, and
  /// others as 500, with a line in the log. A response that it leaves open is finished when it returns.
  public typealias Handler = @LoopActor @Sendable (Request, ResponseWriter) async throws -> Void

  /// The limit of open connections over `maximumConnections`; each takes a descriptor for at most two seconds.
  static let maximumConnectionsOverLimit = 64

  let options: HTTPServerOptions
  private(set) var isDraining = false

  let connectionOptions: HTTPServerConnection.Options
  let timeouts: ConnectionTimeouts
  let log: AccessLog
  let date = DateHeaderCache()
  let bodyMemory: BodyMemory
  let before: Handler?
  let handler: Handler
  private var hostCheck: HostCheck
  private let identity: TLSIdentity?
  private var listeners: [Listener] = []
  /// The oldest first.
  private var overLimit: Deque<HTTPConnection> = []
  private let requestIDPrefix: String
  private var requestCount: UInt64 = 0

  /// A server that gives its requests to `handler`, and logs a line for each of them at info.
  /// - Parameters:
  ///   - identity: makes it a server for `https`.
  ///   - allowsAnyHost: true while `before` authenticates clients, which no page does whose name leads here; `Host` may be
  ///     any name then.
  ///   - before: runs before `handler`, which gets no request for which this throws: the place for authentication, quotas
  ///     and the like. Nothing of the body has been read then. It may set the response's `standingFields`, but sends no
  ///     response.
  public init(
    options: HTTPServerOptions = HTTPServerOptions(), identity: TLSIdentity? = nil, logger: Logger,
    allowsAnyHost: @escaping @LoopActor () -> Bool = { false }, before: Handler? = nil,
    handler: @escaping Handler
  ) {
    self.options = options
    self.identity = identity
    self.before = before
    self.handler = handler
    log = AccessLog(logger)
    hostCheck = HostCheck(
      allowedHosts: options.allowedHosts, allowedOrigins: options.allowedOrigins, allowsAnyHost: allowsAnyHost
    )
    connectionOptions = HTTPServerConnection.Options(options)
    timeouts = ConnectionTimeouts(connectionOptions.timeouts, write: options.writeTimeout)
    bodyMemory = BodyMemory(
      limit: options.maximumBodyMemory, longestBody: options.maximumCollectedBody,
      timeout: options.bodyTimeout)
    // Request identifiers differ between servers and between runs.
    let random = String(UInt32.random(in: .min ... .max), radix: 16)
    requestIDPrefix = String(repeating: "0", count: 8 - random.utf8.count) + random + "-"
  }

  /// How many connections are open; for tests.
  package var connectionCount: Int { timeouts.count }

  /// Serves the connections of `listener` until `drain` is called and all have ended, or until the task is cancelled,
  /// which breaks them off. Closes the listener.
  public func serve(_ listener: Listener) async {
    listeners.append(listener)
    await withDiscardingTaskGroup { group in
      while !isDraining, let stream = await accept(from: listener) {
        let connection = admit(stream)
        group.addTask {
          await connection.run()
          await self.remove(connection)
        }
      }
    }
    listeners.removeAll { $0 === listener }
    await listener.close()
  }

  /// Adds a connection. One over the limit stays open until it is refused, and the oldest of these makes room for the
  /// newest: clients that connect and send nothing do not block health checks.
  private func admit(_ stream: SocketStream) -> HTTPConnection {
    let isOverLimit = timeouts.count - overLimit.count >= options.maximumConnections
    let connection = HTTPConnection(
      stream, identity, to: self, overLimit: isOverLimit ? tooManyConnections : nil)
    timeouts.add(connection)
    guard isOverLimit else { return connection }
    if overLimit.count == Self.maximumConnectionsOverLimit { overLimit.popFirst()?.evict() }
    overLimit.append(connection)
    return connection
  }

  private func remove(_ connection: HTTPConnection) {
    timeouts.remove(connection)
    if connection.http.isOverLimit { overLimit.removeAll { $0 === connection } }
  }

  private var tooManyConnections: HTTPProtocolError {
    HTTPProtocolError(
      .tooManyConnections,
      "\(options.maximumConnections) connections are open, and no more are allowed; try again")
  }

  /// Refuses requests of pages of other sites, and those over the limit, before the handler.
  /// - Returns: true for a request that asks whether a page of an allowed site may send another one.
  func check(
    _ request: Request, _ response: ResponseWriter, isOverLimit: Bool
  ) throws(HTTPErrorResponse) -> Bool {
    let origin = try hostCheck.check(request.target, request.fields)
    if !options.allowedOrigins.isEmpty { response.crossOriginFields = CrossOriginFields.response(to: origin) }
    if isOverLimit, request.target.path != options.pathServedOverLimit {
      throw HTTPErrorResponse(tooManyConnections)
    }
    return origin != nil && CrossOriginFields.isPreflight(request.head)
  }

  /// Drains: stops listening, closes idle connections, and others after their response. `serve` returns when all are
  /// closed.
  public func drain() async {
    guard !isDraining else { return }
    isDraining = true
    timeouts.drain()
    for listener in listeners { await listener.close() }
  }

  func nextRequestID() -> String {
    requestCount += 1
    return requestIDPrefix + String(requestCount, radix: 16)
  }

  /// The next connection; nil when there will be none.
  private func accept(from listener: Listener) async -> SocketStream? {
    while true {
      do {
        return try await listener.accept()
      } catch let error as UVError where error == .cancelled {
        return nil
      } catch is CancellationError {
        return nil
      } catch {
        log.cannotAccept(error)
        // For example, no free descriptors: try again, but not at full speed.
        do { try await EventLoop.sleep(for: .milliseconds(50)) } catch { return nil }
      }
    }
  }
}

extension HTTPServerConnection.Options {
  fileprivate init(_ options: HTTPServerOptions) {
    self.init()
    limits = options.limits
    maximumBodyLength = options.maximumBodyLength
    timeouts.idle = options.idleTimeout.nanoseconds
    timeouts.head = options.headTimeout.nanoseconds
    timeouts.body = options.bodyTimeout.nanoseconds
    timeouts.linger = options.lingerTimeout.nanoseconds
  }
}

/// The line of the `Date` field, formatted once a second.
@LoopActor
final class DateHeaderCache {
  private var line = Bytes()
  private var expiry: UInt64 = 0

  /// With its line break.
  var current: Bytes {
    let now = EventLoop.now
    if now >= expiry { renew(at: now) }
    return line
  }

  private func renew(at now: UInt64) {
    let time = WallClock.now()
    line = Bytes("Date: \(HTTPDate.format(time.seconds))\r\n")
    expiry = now + UInt64(1_000_000 - time.microseconds) * 1000
  }
}
