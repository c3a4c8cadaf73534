/// What a `Selector` can wait for.
@LoopActor
public protocol Selectable: AnyObject, Sendable {
  /// From now on whoever waits for news waits there.
  func setWaiters(_ waiters: WaitQueue)
  /// Begins to look for news.
  func watch()
  /// Something has happened that no wait has told of: there is more to receive, or nothing more will come.
  var hasNews: Bool { get }
  /// A wait has told of it. The end stays news.
  func newsWasTold()
}

/// Several streams or sockets that one reader waits for, whichever of them has something new.
@LoopActor
public final class Selector {
  private var sources: [any Selectable]
  private let arrivals = WaitQueue()
  private var isWoken = false

  /// From now on nobody else may wait for these sources.
  public init(_ sources: [any Selectable]) {
    self.sources = sources
    for source in sources { source.setWaiters(arrivals) }
  }

  /// Waits until there is more to receive from a source, one has ended or was closed, or `wake` was called. A stream that
  /// was prepared for so many bytes has them all then.
  ///
  /// Returns at once where something of this has happened since it last returned.
  ///
  /// - Throws: `CancellationError`.
  public func wait() async throws {
    for source in sources { source.watch() }
    try await arrivals.wait { isWoken || sources.contains(where: \.hasNews) }
    isWoken = false
    for source in sources { source.newsWasTold() }
  }

  /// Waits for this source no more: one that has ended has no other news.
  public func remove(_ source: any Selectable) { sources.removeAll { $0 === source } }

  /// Ends `wait`, or the next one where nobody waits; for a reader that waits for something else as well.
  public func wake() {
    isWoken = true
    arrivals.wakeAll()
  }
}

extension SocketStream: Selectable {
  /// See `Selectable`.
  public func setWaiters(_ waiters: WaitQueue) { input.readers = waiters }

  /// See `Selectable`.
  public func watch() {
    if isOpen { startReading() }
  }

  /// See `Selectable`.
  public var hasNews: Bool { input.hasNews || input.ending != nil || !isOpen }

  /// See `Selectable`.
  public func newsWasTold() { input.hasNews = false }
}
