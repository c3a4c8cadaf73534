import Glibc
package import Logging
package import Loop
import Bytes
import Synchronization
import TestLoop
package import Testing
package import Wire

package import HTTPServer

/// A server on a free port, for one test.
@LoopActor
package struct HTTPTestServer {
  package let server: HTTPServer
  package let port: UInt16
  package let log: CapturedLog

  package func connect() async throws -> HTTPTestClient { HTTPTestClient(try await connectSocket()) }

  /// Connects with TLS.
  ///
  /// - Parameter authority: the file of the certificate authority.
  package func connect(trusting authority: String) async throws -> HTTPTestClient {
    let socket = try await connectSocket()
    return HTTPTestClient(try await socket.startTLS(serverName: "localhost", trust: .file(authority)))
  }

  private func connectSocket() async throws -> SocketStream {
    try await SocketStream.connect(host: "127.0.0.1", port: port, timeout: .seconds(10))
  }

  /// Sends `text`, and returns everything until the server closes the connection.
  package func exchange(_ text: String) async throws -> String {
    let client = try await connect()
    try await client.send(text)
    let answer = try await client.untilClosed()
    await client.close()
    return answer
  }
}

/// Runs `body` with a server, and checks that no connection is left at the end.
package func withHTTPServer(
  options: HTTPServerOptions = HTTPServerOptions(), identity: TLSIdentity? = nil,
  sourceLocation: SourceLocation = #_sourceLocation, before: HTTPServer.Handler? = nil,
  handler: @escaping HTTPServer.Handler,
  _ body: @escaping @LoopActor (HTTPTestServer) async throws -> Void
) async throws {
  try await TestLoop.run(sourceLocation: sourceLocation) {
    try await runHTTPServer(options, identity, sourceLocation, before, handler, body)
  }
}

@LoopActor
private func runHTTPServer(
  _ options: HTTPServerOptions, _ identity: TLSIdentity?, _ location: SourceLocation,
  _ before: HTTPServer.Handler?,
  _ handler: @escaping HTTPServer.Handler,
  _ body: @escaping @LoopActor (HTTPTestServer) async throws -> Void
) async throws {
  let log = CapturedLog()
  let server = HTTPServer(
    options: options, identity: identity, logger: log.logger, before: before, handler: handler)
  let listener = try await Listener.bind(host: "127.0.0.1", port: 0)
  let port = try #require(listener.localAddress?.port)
  let serving = LoopActor.task { await server.serve(listener) }
  do {
    try await body(HTTPTestServer(server: server, port: port, log: log))
  } catch {
    serving.cancel()
    await serving.value
    throw error
  }
  serving.cancel()
  await serving.value
  #expect(server.connectionCount == 0, sourceLocation: location)
}

/// A response as a client reads it.
package struct TestAnswer: Sendable {
  package var head: HTTPResponseHead
  package var body = ""
}

/// A client that parses responses.
@LoopActor
package final class HTTPTestClient {
  package let stream: any ByteStream
  private var parser = HTTPResponseParser()

  package init(_ stream: any ByteStream) { self.stream = stream }

  package func send(_ text: String) async throws { try await stream.write([Bytes(text)]) }

  package func close() async { await stream.close() }

  /// The next response, to a request with `method`.
  package func answer(to method: String = "GET") async throws -> TestAnswer {
    parser = HTTPResponseParser(requestMethod: method)
    var answer: TestAnswer?
    while true {
      switch try await event() {
      case .head(let head, _): answer = TestAnswer(head: head)
      case .body(let bytes): answer?.body += String(bytes)
      case .end: return try #require(answer)
      case nil: throw HTTPProtocolError(.truncated, "the connection ended")
      }
    }
  }

  /// The next event; nil at the end of the connection.
  package func event() async throws -> HTTPResponseParser.Event? {
    while true {
      if let event = try parser.next(&stream.inbound) { return event }
      guard try await stream.fill() else { return try parser.finish() }
    }
  }

  /// Everything until the server closes the connection.
  package func untilClosed() async throws -> String {
    while try await stream.fill() {}
    return String(stream.inbound.takeAll())
  }

  /// Reads `count` bytes.
  package func read(_ count: Int) async throws -> String {
    while stream.inbound.count < count {
      guard try await stream.fill() else { break }
    }
    return String(stream.inbound.take(min(count, stream.inbound.count)))
  }
}

/// A log that keeps its lines.
package final class CapturedLog: Sendable {
  private let lines = Mutex<[String]>([])

  package var all: [String] { lines.withLock { $0 } }

  package var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

  private struct Handler: LogHandler {
    let log: CapturedLog
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      let line = (["\(event.level)", "\(event.message)"] + fields).joined(separator: " ")
      log.lines.withLock { $0.append(line) }
    }
  }
}

/// An event that a test waits for.
@LoopActor
package final class TestSignal {
  package nonisolated init() {}

  private var isSet = false
  private var waiter: CheckedContinuation<Void, Never>?

  package func set() {
    isSet = true
    waiter?.resume()
    waiter = nil
  }

  package func wait() async {
    if isSet { return }
    await withCheckedContinuation { waiter = $0 }
  }
}
