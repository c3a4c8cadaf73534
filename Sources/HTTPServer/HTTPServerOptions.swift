public import Bytes
import Wire

/// How an `HTTPServer` treats its connections.
public struct HTTPServerOptions: Sendable {
  /// How large heads may be.
  var limits = HTTPLimits()
  /// Names that `Host` may have besides local ones: addresses, names without a dot, and names below `.localhost`,
  /// `.local`, `.internal` and `.svc`. Others get 421, since a page could reach us under a name of its own (DNS
  /// rebinding).
  public var allowedHosts: [AllowedHost] = []
  /// How many connections there may be at once. Further ones are answered with 503 and closed.
  public var maximumConnections = 4096
  /// The path that is served on further connections, too, such as that of a health check: a busy server is not down.
  public var pathServedOverLimit: Bytes?
  /// The longest body of a request in bytes (413), chunked ones included.
  var maximumBodyLength = Int64.max
  /// How many bytes all bodies that are collected in memory may take together. One that would exceed it is not read on
  /// until others are done with, and refused (503) if that takes as long as `bodyTimeout`.
  public var maximumBodyMemory = 512 << 20
  /// The longest body in bytes that is collected in memory. The last so many bytes of `maximumBodyMemory` are for one body
  /// at a time, so that half-sent bodies do not wait for one another for ever.
  public var maximumCollectedBody = 64 << 20
  /// How long a request's head may take from its first byte on (408).
  var headTimeout = Duration.seconds(30)
  /// How long a client may send nothing of a body while the handler waits for it (408).
  var bodyTimeout = Duration.seconds(30)
  /// How long a client may take nothing of the bytes that wait for it, before it counts as gone. A client that takes some
  /// now and then is only slow.
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
