import Loop
import Bytes
import Wire

/// Several sockets that one reader receives messages from.
@LoopActor
final class KernelInbox {
  /// A message and the socket that it came from.
  struct Message: Sendable {
    /// The index of the socket in `sockets`.
    let source: Int
    /// All parts, not copied.
    let parts: [Bytes]
  }

  /// After this many messages in a row from one socket, the others have priority, so that one socket does not block
  /// the others.
  private static let longestRun = 16

  private let sockets: [any KernelSocket]
  private let selector: Selector
  private var ended: Set<Int> = []
  private var first = 0
  private var run = 0

  /// - Parameter sockets: in order of priority. A socket gives way after `longestRun` messages in a row.
  init(_ sockets: [any KernelSocket]) {
    self.sockets = sockets
    selector = Selector(sockets.map(\.source))
  }

  /// True if a connection has ended and everything that came over it was received.
  var hasLostOne: Bool { !ended.isEmpty }

  /// True if all connections have.
  var hasLostAll: Bool { ended.count == sockets.count }

  /// Takes the next message; nil if no socket has one now.
  ///
  /// - Throws: `ZMTPError`, `UVError`.
  func receive() throws -> Message? {
    for offset in sockets.indices {
      let index = (first + offset) % sockets.count
      guard let parts = try receive(from: index) else { continue }
      count(index)
      return Message(source: index, parts: parts)
    }
    first = 0
    run = 0
    return nil
  }

  /// Waits until there may be a message, a connection ends, or `wake` is called. Called after `receive` has found no message.
  ///
  /// - Throws: `CancellationError`.
  func untilReadable() async throws {
    try await selector.wait()
  }

  /// Ends `untilReadable`, or its next call if nobody is waiting. For a reader that also waits for something else.
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
