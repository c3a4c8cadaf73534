public import Bytes
import Wire

/// The options of an `HTTPServer`.
public struct HTTPServerOptions: Sendable {
  /// The limits of request heads.
  var limits = HTTPLimits()
  /// Names that are allowed in `Host` besides local ones: addresses, names without a dot, and names below
  /// `.localhost`, `.local`, `.internal` and `.svc`. Others get 421, since a web page could reach the server under its
  /// own name (DNS rebinding).
  public var allowedHosts: [AllowedHost] = []
  /// The sites whose pages may use the server, besides its own. Pages of others get 403.
  public var allowedOrigins: [Origin] = []
  /// The limit of connections. Further ones are answered with 503 and closed.
  public var maximumConnections = 4096
  /// The path that is served on further connections, too, such as that of a health check: a busy server is not down.
  public var pathServedOverLimit: Bytes?
  /// The longest body of a request in bytes (413), chunked ones included.
  var maximumBodyLength = Int64.max
  /// The memory of all collected bodies, in bytes. A body that would exceed it is not read until others have finished,
  /// and is refused (503) if that takes as long as `bodyTimeout`.
  public var maximumBodyMemory = 512 << 20
  /// The longest body that is collected in memory, in bytes. The last `maximumCollectedBody` bytes of
  /// `maximumBodyMemory` are reserved for one body at a time, so that half-sent bodies do not block one another.
  public var maximumCollectedBody = 64 << 20
  /// How long a request's head may take from its first byte on (408).
  var headTimeout = Duration.seconds(30)
  /// How long a client may send nothing of a body while the handler waits for it (408).
  var bodyTimeout = Duration.seconds(30)
  /// How long a client may read nothing of the queued bytes before it counts as gone. A client that reads a little now
  /// and then is only slow.
  public var writeTimeout = Duration.seconds(60)
  /// How long a connection may stay without a request. Clients keep connections for later, and one costs little; but a
  /// client that vanished without FIN must not hold one for ever.
  var idleTimeout = Duration.seconds(600)
  /// How long the server waits for the client's FIN after its own, since the client last sent something (RFC 9112, 9.6).
  /// A client that goes on sending is read for as long as `bodyTimeout`. A connection over `maximumConnections` has this
  /// long to send a request, and as long again to take the response.
  var lingerTimeout = Duration.seconds(2)

  /// The options that suit a server on its own or behind a proxy.
  public init() {}
}
