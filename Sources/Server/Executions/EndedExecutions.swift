import DequeModule

/// The executions that have ended, for as long as they can be asked for. Which one is forgotten next is decided here.
///
/// Those whose lines nobody can ask for go first, however new they are: a client that runs much code of its own in
/// `POST /execute` must not take away what another one has left to be read later.
struct EndedExecutions<Execution: AnyObject> {
  private typealias Entry = (execution: Execution, time: UInt64, bytes: Int64)

  /// Oldest first, as all of these.
  private var withLines: Deque<Entry> = []
  private var withoutLines: Deque<Entry> = []
  /// The bytes of all their lines.
  private(set) var bytes: Int64 = 0

  /// How many there are.
  var count: Int { withLines.count + withoutLines.count }

  /// When the oldest has ended; nil if there are none.
  var oldestTime: UInt64? {
    switch (withLines.first, withoutLines.first) {
    case (let first?, let second?): min(first.time, second.time)
    case (let only?, nil), (nil, let only?): only.time
    case (nil, nil): nil
    }
  }

  /// Adds one.
  ///
  /// - Parameters:
  ///   - time: when it has ended: not before the others.
  ///   - bytes: of its lines; nil if they are not kept.
  mutating func append(_ execution: Execution, at time: UInt64, bytes: Int64?) {
    guard let bytes else { return withoutLines.append((execution, time, 0)) }
    withLines.append((execution, time, bytes))
    self.bytes += bytes
  }

  /// Takes one out, if it is here.
  mutating func remove(_ execution: Execution) {
    if removeOldestWithLines(where: { $0 === execution }) != nil { return }
    if let index = withoutLines.firstIndex(where: { $0.execution === execution }) {
      withoutLines.remove(at: index)
    }
  }

  /// Takes out the one that is missed least; nil if there are none.
  mutating func removeLeastWanted() -> Execution? {
    if let entry = withoutLines.popFirst() { return entry.execution }
    return removeOldestWithLines()
  }

  /// Takes out the oldest one with lines, of those for which `isWanted` is true; nil if there are none.
  mutating func removeOldestWithLines(where isWanted: (Execution) -> Bool = { _ in true }) -> Execution? {
    guard let index = withLines.firstIndex(where: { isWanted($0.execution) }) else { return nil }
    let entry = withLines.remove(at: index)
    bytes -= entry.bytes
    return entry.execution
  }

  /// Takes out one that ended at `time` or before; nil if there are none.
  mutating func removeOne(endedBy time: UInt64) -> Execution? {
    if let first = withoutLines.first, first.time <= time { return withoutLines.removeFirst().execution }
    if let first = withLines.first, first.time <= time { return removeOldestWithLines() }
    return nil
  }
}
