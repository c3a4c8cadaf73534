public import Loop
import Wire

/// Where a Jupyter Server, Kernel Gateway or Enterprise Gateway is, and how it lets us in.
public struct ServerLocation: Sendable {
  /// The way to its socket.
  enum Endpoint: Sendable, Equatable {
    case unix(path: String)
    case tcp(host: String, port: UInt16, isSecure: Bool)
  }

  /// Opening a connection, TLS included; a server that needs longer is away.
  static let connectLimit: Duration = .seconds(10)

  let endpoint: Endpoint
  /// Stands before `/api`; no slash at the end.
  let basePath: String
  /// Sent as `Authorization: token …`.
  let token: String?
  private let trust: TLSTrust

  /// A server of our own, on a Unix socket.
  init(socket path: String, token: String) {
    self.endpoint = .unix(path: path)
    self.basePath = ""
    self.token = token
    self.trust = .system
  }

  /// A server by its URL: `http://127.0.0.1:8888/base?token=…`, `https://…`. A token in the URL, as Jupyter prints it,
  /// counts where `token` is nil.
  ///
  /// - Parameter trust: which certificates are believed, for `https`.
  /// - Throws: `InvalidServerURL`, which says what is wrong.
  public init(url: String, token: String?, trust: TLSTrust = .system) throws {
    let parts = try ServerURL(url)
    self.endpoint = .tcp(host: parts.host, port: parts.port, isSecure: parts.isSecure)
    self.basePath = parts.basePath
    self.token = token ?? parts.token
    self.trust = trust
  }

  /// True where it is spoken to by TLS.
  public var isSecure: Bool {
    if case .tcp(_, _, let isSecure) = endpoint { isSecure } else { false }
  }

  /// What stands in the `Host` field.
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
      // Jupyter Server's WebSocket has Nagle's algorithm on: a peer that delays its acknowledgements waits 40 ms.
      let stream = try await SocketStream.connect(
        host: host, port: port, timeout: Self.connectLimit, quickAcknowledge: true)
      // The server begins with a request while we tell our client that its code is on the way.
      stream.gathersWrites = false
      guard isSecure else { return stream }
      do {
        return try await withDeadline(Self.connectLimit) {
          try await TLSStream.client(over: stream, serverName: host, trust: self.trust)
        }
      } catch {
        stream.abort()
        throw error
      }
    }
  }
}

extension ServerLocation {
  /// True where the server's files are ours.
  var isOnThisMachine: Bool {
    switch endpoint {
    case .unix: true
    case .tcp(let host, _, _): host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }
  }
}
