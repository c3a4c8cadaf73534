import DequeModule
import Loop
import Memory

/// A socket of libzmq from which everything is taken at once, and waits here up to a limit.
///
/// libzmq counts the messages that wait in it, not their bytes, and a kernel sends a message of 30 MB sooner than its
/// signature can be checked: our process grew by 2.4 GB within seconds. Long messages, which are output, may take a quarter
/// of the limit: what is more is dropped before anybody looks at it. Short ones, which may be replies, are never dropped.
@LoopActor
final class ReadAheadSocket {
  /// From this length on a message counts as long, in bytes. Replies and status messages have some hundreds.
  static let longLength = 64 << 10

  private let connection: ZeroMQConnection
  private let limit: Int
  private var held: Deque<[Bytes]> = []
  private var heldLength = 0
  private var dropped = 0
  private var failure: (any Error)?
  private var waiters = WaitQueue()

  /// - Parameters:
  ///   - connection: nobody else receives from it.
  ///   - limit: how much may wait, in bytes.
  init(_ connection: ZeroMQConnection, limit: Int) {
    self.connection = connection
    self.limit = limit
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
        // Not by their lengths: they are only put aside.
        if budget.isSpent(by: 0) { await Task.yield() }
      }
    } catch {
      fail(error)
    }
  }

  private func hold(_ parts: [Bytes]) throws {
    let length = Self.length(of: parts)
    // One alone may be longer.
    if !held.isEmpty, heldLength + length > limit / 4, length >= Self.longLength {
      dropped += length
    } else {
      guard held.isEmpty || heldLength + length <= limit else { throw KernelOverrun(limit: limit) }
      held.append(parts)
      heldLength += length
    }
    waiters.wakeAll()
  }

  private func fail(_ error: any Error) {
    guard failure == nil else { return }
    failure = error
    connection.close()
    waiters.wakeAll()
  }

  private static func length(of parts: [Bytes]) -> Int {
    parts.reduce(MessageBacklog.overhead) { $0 + $1.count }
  }
}

extension ReadAheadSocket: KernelSocket {
  func send(_ parts: [Bytes]) async throws { try await connection.send(parts) }

  func receive() throws -> [Bytes]? {
    if let parts = held.popFirst() {
      heldLength -= Self.length(of: parts)
      return parts
    }
    if let failure, !isEnd(failure) { throw failure }
    return nil
  }

  func next() async throws -> [Bytes] {
    while true {
      if let parts = try receive() { return parts }
      if let failure { throw failure }
      try await waiters.wait { hasNews }
    }
  }

  func takeDropped() -> Int {
    defer { dropped = 0 }
    return dropped
  }

  var isPeerLost: Bool { failure != nil }
  var hasLostOutput: Bool { connection.hasLostOutput }
  var source: any Selectable { self }

  func close() {
    fail(UVError.cancelled)
    held.removeAll()
    heldLength = 0
  }

  private func isEnd(_ error: any Error) -> Bool {
    guard let error = error as? UVError else { return false }
    return error == .endOfFile || error == .cancelled
  }
}

extension ReadAheadSocket: Selectable {
  func setWaiters(_ waiters: WaitQueue) { self.waiters = waiters }
  func watch() {}
  var hasNews: Bool { !held.isEmpty || dropped > 0 || failure != nil }
  func newsWasTold() {}
}

/// A kernel has sent more than can be meant, of what cannot be dropped.
struct KernelOverrun: Error, CustomStringConvertible {
  /// How many bytes may wait.
  let limit: Int

  var description: String {
    "the kernel sent messages without end: more than \(limit) bytes waited (--max-unread-output)"
  }
}
