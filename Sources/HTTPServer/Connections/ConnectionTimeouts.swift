import Loop

/// Ends connections that wait too long. One timer serves them all: a connection only notes what it waits for and since
/// when, so that a request costs no timer and no look at the clock.
@LoopActor
final class ConnectionTimeouts {
  private var connections: [ObjectIdentifier: HTTPConnection] = [:]
  private let timeouts: HTTPTimeouts
  private var deadline: Deadline?
  private var lastTick: UInt64 = 0

  init(_ timeouts: HTTPTimeouts) { self.timeouts = timeouts }

  /// About the present, in nanoseconds: never behind, and ahead by at most one period.
  var now: UInt64 { lastTick + timeouts.period.nanoseconds }

  var count: Int { connections.count }

  func add(_ connection: HTTPConnection) {
    connections[ObjectIdentifier(connection)] = connection
    guard deadline == nil else { return }
    deadline = Deadline { [weak self] in self?.tick() }
    tick()
  }

  /// The timer goes with the last connection, so that an idle server sleeps.
  func remove(_ connection: HTTPConnection) {
    connections[ObjectIdentifier(connection)] = nil
    guard connections.isEmpty else { return }
    deadline?.close()
    deadline = nil
  }

  func abortIdle() {
    for connection in connections.values { connection.abortIfIdle() }
  }

  private func tick() {
    lastTick = EventLoop.now
    for connection in connections.values { connection.expire(at: lastTick, timeouts) }
    deadline?.start(timeouts.period)
  }
}
