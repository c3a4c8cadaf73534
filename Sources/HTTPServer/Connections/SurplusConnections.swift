import DequeModule
import Loop

/// Connections beyond the limit, each open for as long as it takes to refuse it. There are few of them, and the oldest makes
/// room for the newest: whoever opens connections and says nothing keeps nobody from asking for our health.
@LoopActor
struct SurplusConnections {
  /// Each takes a descriptor, for at most two seconds.
  static let most = 64

  private var connections: Deque<HTTPConnection> = []

  nonisolated init() {}

  var count: Int { connections.count }

  mutating func add(_ connection: HTTPConnection) {
    if connections.count == Self.most { connections.popFirst()?.refuseAtOnce() }
    connections.append(connection)
  }

  mutating func remove(_ connection: HTTPConnection) {
    connections.removeAll { $0 === connection }
  }
}
