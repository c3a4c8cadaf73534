public import Wire

/// How an `HTTPServer` treats its connections.
public struct HTTPServerOptions: Sendable {
  /// How large heads may be.
  public var limits = HTTPLimits()
  /// The longest body of a request in bytes (413), chunked ones included.
  public var maximumBodyLength = Int64.max
  /// How long a request's head may take from its first byte on (408).
  public var headTimeout = Duration.seconds(30)
  /// How long a request's body may stand still while somebody waits for it (408).
  public var bodyTimeout = Duration.seconds(30)
  /// How long a connection may stay without a request. Clients keep them for later, and one costs little; but a
  /// client that vanished without a word must not hold one for ever.
  public var idleTimeout = Duration.seconds(600)
  /// How long a client may be silent, after our last word on a connection, until we close it too. To close while it
  /// still sends could make its kernel throw our answer away unread (RFC 9112, 9.6). One that goes on sending is read
  /// for as long as `bodyTimeout`, and no longer.
  public var lingerTimeout = Duration.seconds(2)

  /// The options that suit a server on its own or behind a proxy.
  public init() {}
}
