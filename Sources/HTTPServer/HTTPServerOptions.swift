public import Bytes
public import Wire

/// How an `HTTPServer` treats its connections.
public struct HTTPServerOptions: Sendable {
  /// How large heads may be.
  public var limits = HTTPLimits()
  /// Names that requests may be sent to (`Host`) besides those that are local: addresses, names without a dot, and names
  /// below `.localhost`, `.local`, `.internal` and `.svc`. Others get 421, since a page could reach us under a name of
  /// its own (DNS rebinding).
  public var allowedHosts: [AllowedHost] = []
  /// How many connections there may be at once. Further ones are answered with 503 and closed.
  public var maximumConnections = 4096
  /// The path that is served on further connections, too, so that a server that is busy is not taken for one that is down.
  public var pathBeyondLimit: Bytes = "/health"
  /// The longest body of a request in bytes (413), chunked ones included.
  public var maximumBodyLength = Int64.max
  /// How many bytes all bodies may take together that are collected in memory. One that would exceed it is not read on until
  /// others are done with, and refused (503) where that takes as long as `bodyTimeout`.
  public var maximumBodyMemory = 512 << 20
  /// The longest body in bytes that is collected in memory. The last so many bytes of `maximumBodyMemory` are for one body
  /// at a time, so that half-sent bodies do not wait for one another for ever.
  public var maximumCollectedBody = 64 << 20
  /// How long a request's head may take from its first byte on (408).
  public var headTimeout = Duration.seconds(30)
  /// How long a request's body may stand still while somebody waits for it (408).
  public var bodyTimeout = Duration.seconds(30)
  /// How long a client may take nothing of what waits to be sent to it, before it counts as gone. One that takes something
  /// now and then is only slow.
  public var writeTimeout = Duration.seconds(60)
  /// How long a connection may stay without a request. Clients keep them for later, and one costs little; but a
  /// client that vanished without a word must not hold one for ever.
  public var idleTimeout = Duration.seconds(600)
  /// How long a client may be silent, after our last word on a connection, until we close it too. To close while it
  /// still sends could make its kernel throw our answer away unread (RFC 9112, 9.6). One that goes on sending is read
  /// for as long as `bodyTimeout`, and no longer. A connection beyond `maximumConnections` has this long to send a
  /// request, and as long again to take the answer, whatever it sends.
  public var lingerTimeout = Duration.seconds(2)

  /// The options that suit a server on its own or behind a proxy.
  public init() {}

  func allows(_ host: HTTPHost) -> Bool { host.isLocal || allowedHosts.contains { $0.allows(host) } }
}
