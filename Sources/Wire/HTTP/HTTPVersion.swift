/// The versions of HTTP that are spoken here. A peer with a later minor version is answered as 1.1 (RFC 9110, 2.5).
public enum HTTPVersion: Sendable, Equatable {
  /// HTTP/1.0: no chunked coding, and a connection a request unless `Connection: keep-alive` is asked for.
  case http10
  /// HTTP/1.1.
  case http11

  /// How the version is written in a start line.
  public var name: StaticString {
    switch self {
    case .http10: "HTTP/1.0"
    case .http11: "HTTP/1.1"
    }
  }
}
