import Loop
import Bytes
import Wire

/// Several sockets that one reader takes messages from, as they come.
@LoopActor
final class KernelInbox {
  /// A message and where it came from.
  struct Message: Sendable {
    /// The place of the connection among those that the inbox was made of.
    let source: Int
    /// All parts, in the memory that they arrived in.
    let parts: [Bytes]
  }

  /// So many messages of one connection, then the others are looked at first: a flood in one keeps no other waiting.
  private static let longestRun = 16

  private let sockets: [any KernelSocket]
  private let selector: Selector
  private var ended: Set<Int> = []
  private var budget = TurnBudget()
  private var first = 0
  private var run = 0

  /// - Parameter sockets: Where several have messages, those of the first come first, for a while.
  init(_ sockets: [any KernelSocket]) {
    self.sockets = sockets
    selector = Selector(sockets.map(\.source))
  }

  /// True when a connection has ended; all that came over it was received before.
  var hasLostOne: Bool { !ended.isEmpty }

  /// True when all have.
  var hasLostAll: Bool { ended.count == sockets.count }

  /// Takes a message; nil where no connection has one now.
  ///
  /// - Throws: `ZMTPError`, `UVError`.
  func receive() async throws -> Message? {
    for offset in sockets.indices {
      let index = (first + offset) % sockets.count
      guard let parts = try receive(from: index) else { continue }
      count(index)
      if budget.isSpent(by: parts.reduce(0) { $0 + $1.count }) { await Task.yield() }
      return Message(source: index, parts: parts)
    }
    first = 0
    run = 0
    return nil
  }

  /// Waits until there may be a message, a connection ends, or `wake` was called. Whoever waits has found none just
  /// now.
  ///
  /// - Throws: `CancellationError`.
  func untilReadable() async throws {
    budget.renew()
    try await selector.wait()
  }

  /// Ends `untilReadable`, or the next one where nobody waits; for a reader that waits for something else as well.
  func wake() { selector.wake() }

  private func receive(from index: Int) throws -> [Bytes]? {
    guard !ended.contains(index) else { return nil }
    let socket = sockets[index]
    if let parts = try socket.receive() { return parts }
    if socket.isPeerLost {
      ended.insert(index)
      selector.remove(socket.source)
    }
    return nil
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
