import Loop
import Wire

/// The open connections, and one timer that checks them all. A connection only records when its wait began, so a
/// request needs no timer and no system call.
@LoopActor
final class ConnectionTimeouts {
  /// How long a client may read nothing, in nanoseconds.
  let write: UInt64
  private let period: Duration
  private var connections: [ObjectIdentifier: HTTPConnection] = [:]
  private var deadline: Deadline?
  private var lastTick: UInt64 = 0

  init(_ timeouts: HTTPServerConnection.Timeouts, write: Duration) {
    self.write = write.nanoseconds
    let shortest = min(timeouts.head, timeouts.body, timeouts.idle, timeouts.linger, self.write)
    // Time-outs are for failures: a second more does not matter.
    period = .nanoseconds(Int64(min(max(shortest / 2, 5_000_000), 1_000_000_000)))
  }

  /// The approximate time in nanoseconds: never behind, and ahead by at most one period.
  var now: UInt64 { lastTick + period.nanoseconds }

  var count: Int { connections.count }

  func add(_ connection: HTTPConnection) {
    connections[ObjectIdentifier(connection)] = connection
    guard deadline == nil else { return }
    deadline = Deadline { [weak self] in self?.tick() }
    tick()
  }

  /// The timer stops with the last connection, so an idle server sleeps.
  func remove(_ connection: HTTPConnection) {
    connections[ObjectIdentifier(connection)] = nil
    guard connections.isEmpty else { return }
    deadline?.close()
    deadline = nil
  }

  func drain() {
    for connection in connections.values { connection.drain() }
  }

  private func tick() {
    lastTick = EventLoop.now
    for connection in connections.values { connection.checkTimeouts(at: lastTick) }
    deadline?.start(period)
  }
}
