public import Loop
public import Bytes
import Wire

/// A small HTTP/1.1 client for one server's REST API. Each request opens a connection of its own. Requests are rare, and if a
/// reused connection broke at the wrong moment, nobody would know whether a kernel was started.
@LoopActor
public final class HTTPClient {
  /// A complete response.
  public struct Reply: Sendable {
    /// The status code.
    public let status: Int
    /// The decoded body.
    public let body: Bytes
  }

  /// How many bytes a response's body may have. A list of kernelspecs with their resources has some kilobytes.
  private static let bodyLimit = 16 << 20

  private let location: ServerLocation

  /// A client for this server.
  public init(_ location: ServerLocation) { self.location = location }

  /// Sends a request and waits for the complete response.
  ///
  /// - Parameters:
  ///   - path: the path after the base path, percent-encoded.
  ///   - limit: how long request and response may take.
  /// - Throws: `UVError`, `TLSError`, `HTTPProtocolError`, `DeadlineExceeded`.
  public func send(
    _ method: String, _ path: String, body: Bytes = Bytes(), limit: Duration
  ) async throws -> Reply {
    let head = try requestHead(method, path, bodyLength: body.count).encode()
    return try await withDeadline(limit) {
      let stream = try await self.location.connect()
      defer { stream.abort() }
      try await stream.write([head, body])
      return try await Self.read(from: stream, method: method)
    }
  }

  /// True if the server accepts connections.
  var isReachable: Bool {
    get async {
      guard let stream = try? await location.connect() else { return false }
      stream.abort()
      return true
    }
  }

  private func requestHead(_ method: String, _ path: String, bodyLength: Int) -> HTTPRequestHead {
    var fields = location.fields
    fields.append("Connection", "close")
    if method == "POST" {
      fields.append("Content-Type", "application/json")
      fields.append("Content-Length", String(bodyLength))
    }
    return HTTPRequestHead(method: method, target: location.basePath + path, version: .http11, fields: fields)
  }

  private static func read(from stream: any ByteStream, method: String) async throws -> Reply {
    var parser = HTTPResponseParser(requestMethod: method)
    var status = 0
    var body = ByteBuffer()
    var isEnded = false
    while true {
      let event =
        isEnded ? try parser.finish() : try parser.next(&stream.inbound)
      switch event {
      case .head(let head, _): status = head.status
      case .body(let bytes):
        guard bytes.count <= bodyLimit - body.count else {
          throw KernelProviderError.unavailable("a reply has more than \(bodyLimit) bytes")
        }
        body.append(bytes)
      case .end: return Reply(status: status, body: body.takeAll())
      case nil:
        guard !isEnded else { throw UVError.endOfFile }
        isEnded = try await !stream.fill()
      }
    }
  }
}
