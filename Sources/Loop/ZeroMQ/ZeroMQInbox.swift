public import Memory

/// Several sockets that one reader takes messages from, as they come.
@LoopActor
public final class ZeroMQInbox {
  /// A message and where it came from.
  public struct Message: Sendable {
    /// The place of the socket among those that the inbox was made of.
    public let source: Int
    /// All parts, in the memory that they arrived in.
    public let parts: [Bytes]
  }

  /// So many messages of one socket, then the others are looked at first: a flood in one keeps no other waiting.
  private static let longestRun = 16

  private let sockets: [ZeroMQSocket]
  private let arrivals = WaitQueue()
  private var budget = TurnBudget()
  private var isWoken = false
  private var first = 0
  private var run = 0

  /// - Parameter sockets: Where several have messages, those of the first come first, for a while.
  public init(_ sockets: [ZeroMQSocket]) {
    self.sockets = sockets
    for socket in sockets { socket.arrivals = arrivals }
  }

  /// Takes a message; nil where no socket has one now.
  ///
  /// - Throws: `UVError.cancelled` when a socket is closed.
  public func receive() async throws -> Message? {
    for offset in sockets.indices {
      let index = (first + offset) % sockets.count
      guard sockets[index].isReadable, let parts = try sockets[index].receive() else { continue }
      count(index)
      if budget.isSpent() { await Task.yield() }
      return Message(source: index, parts: parts)
    }
    first = 0
    run = 0
    return nil
  }

  /// Waits until there may be a message, or `wake` was called. Whoever waits has found none just now.
  ///
  /// - Throws: `CancellationError`.
  public func untilReadable() async throws {
    budget.renew()
    try await arrivals.wait { isWoken || sockets.contains(where: \.isReadable) }
    isWoken = false
  }

  /// Ends `untilReadable`, or the next one where nobody waits; for a reader that waits for something else as well.
  public func wake() {
    isWoken = true
    arrivals.wakeAll()
  }

  private func count(_ index: Int) {
    run = index == first ? run + 1 : 0
    if run >= Self.longestRun {
      first = (index + 1) % sockets.count
      run = 0
    } else if index != first {
      first = 0
    }
  }
}
