import Loop

/// The time-outs of connections in nanoseconds, ready to be compared.
struct HTTPTimeouts {
  let head: UInt64
  let body: UInt64
  let write: UInt64
  let idle: UInt64
  let goodbye: UInt64

  init(_ options: HTTPServerOptions) {
    head = options.headTimeout.nanoseconds
    body = options.bodyTimeout.nanoseconds
    write = options.writeTimeout.nanoseconds
    idle = options.idleTimeout.nanoseconds
    goodbye = options.lingerTimeout.nanoseconds
  }

  /// How often to look: time-outs are for what has gone wrong, so a second more does not matter.
  var period: Duration {
    let shortest = min(head, body, write, idle, goodbye)
    return .nanoseconds(Int64(min(max(shortest / 2, 5_000_000), 1_000_000_000)))
  }
}
