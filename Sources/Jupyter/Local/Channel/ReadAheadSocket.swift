import Loop
import Bytes

/// Reads everything from a libzmq socket at once, and holds it up to a limit.
///
/// libzmq limits the number of waiting messages, not their bytes, and a kernel sends a message of 30 MB faster than its
/// signature can be checked: without this limit the process grew by 2.4 GB within seconds.
@LoopActor
final class ReadAheadSocket {
  private let connection: ZeroMQConnection
  private var queue: ReadAheadQueue
  private var failure: (any Error)?
  private var waiters = WaitQueue()

  /// - Parameters:
  ///   - connection: nothing else receives from it.
  ///   - limit: how many bytes may wait.
  init(_ connection: ZeroMQConnection, limit: Int) {
    self.connection = connection
    queue = ReadAheadQueue(limit: limit)
    LoopActor.task { await self.readAhead() }
  }

  private func readAhead() async {
    var budget = TurnBudget()
    do {
      while true {
        guard let parts = try connection.receive() else {
          budget.renew()
          try hold(try await connection.next())
          continue
        }
        try hold(parts)
        // No more per turn of the loop than the reader takes in one, or the queue would grow however fast it reads.
        if budget.isSpent(by: parts.byteCount) { await Task.yield() }
      }
    } catch {
      fail(error)
    }
  }

  private func hold(_ parts: [Bytes]) throws {
    try queue.append(parts)
    waiters.wakeAll()
  }

  private func fail(_ error: any Error) {
    guard failure == nil else { return }
    failure = error
    connection.close()
    waiters.wakeAll()
  }
}

extension ReadAheadSocket: KernelSocket {
  func send(_ parts: [Bytes]) async throws { try await connection.send(parts) }

  func receive() throws -> [Bytes]? {
    if let parts = queue.popFirst() { return parts }
    if let failure, !isEnd(failure) { throw failure }
    return nil
  }

  func next() async throws -> [Bytes] {
    while true {
      if let parts = try receive() { return parts }
      if let failure { throw failure }
      try await waiters.wait { hasEvents }
    }
  }

  func takeDropped() -> Int { queue.takeDropped() }

  var isPeerLost: Bool { failure != nil }
  var hasLostOutput: Bool { connection.hasLostOutput }
  var source: any Selectable { self }

  func close() {
    fail(UVError.cancelled)
    queue.removeAll()
  }

  private func isEnd(_ error: any Error) -> Bool {
    guard let error = error as? UVError else { return false }
    return error == .endOfFile || error == .cancelled
  }
}

extension ReadAheadSocket: Selectable {
  func setWaiters(_ waiters: WaitQueue) { self.waiters = waiters }
  func watch() {}
  var hasEvents: Bool { !queue.isEmpty || queue.dropped > 0 || failure != nil }
  func clearEvents() {}
}
