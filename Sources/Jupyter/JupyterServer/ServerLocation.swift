public import Loop
import Wire

/// Where a Jupyter Server, Kernel Gateway or Enterprise Gateway listens, and the token for it.
public struct ServerLocation: Sendable {
  /// The address of its socket.
  enum Endpoint: Sendable, Equatable {
    case unix(path: String)
    case tcp(host: String, port: UInt16, isSecure: Bool)
  }

  /// How long the connection may take, and then the TLS handshake. A server that needs longer counts as unreachable.
  static let connectLimit: Duration = .seconds(10)

  let endpoint: Endpoint
  /// The path before `/api`, without a slash at the end.
  let basePath: String
  /// Sent as `Authorization: token …`.
  let token: String?
  private let trust: TLSTrust

  /// A server that this process has started, on a Unix socket.
  init(socket path: String, token: String) {
    self.endpoint = .unix(path: path)
    self.basePath = ""
    self.token = token
    self.trust = .system
  }

  /// A server by its URL: `http://127.0.0.1:8888/base?token=…`, `https://…`. A token in the URL, as Jupyter prints it, is
  /// used if `token` is nil.
  ///
  /// - Parameter trust: which certificates are trusted, for `https`.
  /// - Throws: `InvalidServerURL`, which says what is wrong.
  public init(url: String, token: String?, trust: TLSTrust = .system) throws {
    let parts = try ServerURL(url)
    self.endpoint = .tcp(host: parts.host, port: parts.port, isSecure: parts.isSecure)
    self.basePath = parts.basePath
    self.token = token ?? parts.token
    self.trust = trust
  }

  /// True if connections use TLS.
  public var isSecure: Bool {
    if case .tcp(_, _, let isSecure) = endpoint { isSecure } else { false }
  }

  /// The value of the `Host` field.
  var hostField: String {
    switch endpoint {
    case .unix: "localhost"
    case .tcp(let host, let port, _): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
  }

  /// The fields that every request carries.
  var fields: HTTPFields {
    var fields: HTTPFields = ["Host": hostField, "User-Agent": "code-interpreter"]
    if let token { fields.append("Authorization", "token \(token)") }
    return fields
  }

  /// Opens a connection.
  ///
  /// - Throws: `UVError`, `TLSError`, `DeadlineExceeded`.
  @LoopActor
  func connect() async throws -> any ByteStream {
    switch endpoint {
    case .unix(let path):
      return try await SocketStream.connect(path: path, timeout: Self.connectLimit)
    case .tcp(let host, let port, let isSecure):
      // Jupyter Server's WebSocket uses Nagle's algorithm. If the peer delayed its acknowledgements, that would cost 40 ms.
      let stream = try await SocketStream.connect(
        host: host, port: port, timeout: Self.connectLimit, quickAcknowledge: true)
      // Each request is sent at once. The server works on it while this process tells the client that its code is on the way.
      stream.gathersWrites = false
      guard isSecure else { return stream }
      do {
        return try await withDeadline(Self.connectLimit) {
          try await stream.startTLS(serverName: host, trust: self.trust)
        }
      } catch {
        stream.abort()
        throw error
      }
    }
  }
}

extension ServerLocation {
  /// True if the server has the same files as this process.
  var isOnThisMachine: Bool {
    switch endpoint {
    case .unix: true
    case .tcp(let host, _, _): host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }
  }
}
