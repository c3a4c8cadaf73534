/// The time-outs of connections in nanoseconds, ready to be compared.
struct HTTPTimeouts {
  let head: UInt64
  let body: UInt64
  let idle: UInt64
  let goodbye: UInt64

  init(_ options: HTTPServerOptions) {
    head = options.headTimeout.wholeNanoseconds
    body = options.bodyTimeout.wholeNanoseconds
    idle = options.idleTimeout.wholeNanoseconds
    goodbye = options.lingerTimeout.wholeNanoseconds
  }

  /// How often to look: time-outs are for what has gone wrong, so a second more does not matter.
  var period: Duration {
    let shortest = min(head, body, idle, goodbye)
    return .nanoseconds(Int64(min(max(shortest / 2, 5_000_000), 1_000_000_000)))
  }
}

extension Duration {
  /// In nanoseconds, never negative, and small enough that a point in time can be added.
  var wholeNanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    guard !overflow, product < UInt64.max / 4 else { return UInt64.max / 4 }
    return product + UInt64(attoseconds / 1_000_000_000)
  }
}
