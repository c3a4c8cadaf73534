public import Logging
public import Loop
import Bytes

/// An HTTP/1.1 server: connections from a listener, requests to a handler.
@LoopActor
public final class HTTPServer {
  /// Answers one request. It may throw `HTTPErrorResponse` to refuse it; other errors are answered with 500 and logged. Where
  /// it returns without having answered to the end, the answer is ended for it.
  public typealias Handler = @LoopActor @Sendable (Request, ResponseWriter) async throws -> Void

  /// How connections are treated.
  public let options: HTTPServerOptions
  /// True once `drain` was called.
  public private(set) var isDraining = false

  let handler: Handler
  let log: AccessLog
  let watch: ConnectionTimeouts
  let date = DateHeaderCache()
  let bodyMemory: BodyMemory
  /// The last `Host` that was found to be allowed: mostly it is the same again.
  var knownHost: Bytes?
  private var listeners: [Listener] = []
  private var surplus = SurplusConnections()
  private let requestIDPrefix: String
  private var requestCount: UInt64 = 0

  /// A server that gives its requests to `handler`. A line is logged for each of them, at info.
  public init(options: HTTPServerOptions = HTTPServerOptions(), logger: Logger, handler: @escaping Handler) {
    self.options = options
    self.handler = handler
    self.log = AccessLog(logger)
    self.watch = ConnectionTimeouts(HTTPTimeouts(options))
    self.bodyMemory = BodyMemory(
      limit: options.maximumBodyMemory, longestBody: options.maximumCollectedBody,
      patience: options.bodyTimeout)
    // Two servers, or two runs of one, do not give the same name to their requests.
    let random = String(UInt32.random(in: .min ... .max), radix: 16)
    self.requestIDPrefix = String(repeating: "0", count: 8 - random.utf8.count) + random + "-"
  }

  /// How many connections are open.
  public var connectionCount: Int { watch.count }

  /// Serves what connects to `listener`, until `drain` is called and all connections have ended, or until the task is
  /// cancelled, which breaks them off. The listener is closed then.
  public func serve(_ listener: Listener) async {
    listeners.append(listener)
    await withDiscardingTaskGroup { group in
      while !isDraining, let stream = await accept(from: listener) {
        let connection = HTTPConnection(
          stream, from: stream.peerAddress, to: self, isSurplus: isFull)
        if connection.isSurplus { surplus.add(connection) }
        watch.add(connection)
        group.addTask { await self.run(connection) }
      }
    }
    listeners.removeAll { $0 === listener }
    await listener.close()
  }

  /// True where a further connection would be one too many.
  private var isFull: Bool { watch.count - surplus.count >= options.maximumConnections }

  private func run(_ connection: HTTPConnection) async {
    await connection.run()
    watch.remove(connection)
    if connection.isSurplus { surplus.remove(connection) }
  }

  /// Begins to end: listens no more, closes connections that wait for a next request, and the others when their
  /// answer is given. `serve` returns when all are gone.
  public func drain() async {
    guard !isDraining else { return }
    isDraining = true
    watch.abortIdle()
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
        // The next one may do better, but must not be tried at full speed.
        do { try await EventLoop.sleep(for: .milliseconds(50)) } catch { return nil }
      }
    }
  }
}
