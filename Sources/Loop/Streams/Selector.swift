/// A source that a `Selector` can wait for.
@LoopActor
public protocol Selectable: AnyObject, Sendable {
  /// Makes tasks that wait for news wait in `waiters`.
  func setWaiters(_ waiters: WaitQueue)
  /// Begins to read.
  func watch()
  /// True if something happened since `newsWasTold`: there is more to receive, or the source has ended.
  var hasNews: Bool { get }
  /// A wait has returned for the news. The end stays news.
  func newsWasTold()
}

/// Lets one reader wait for several streams or sockets at once.
@LoopActor
public final class Selector {
  private var sources: [any Selectable]
  private let arrivals = WaitQueue()
  private var isWoken = false

  /// A selector of `sources`, for which no other task may wait any more.
  public init(_ sources: [any Selectable]) {
    self.sources = sources
    for source in sources { source.setWaiters(arrivals) }
  }

  /// Waits until a source has more to receive, has ended or was closed, or `wake` was called. A stream that was prepared for
  /// a number of bytes (`prepare`) has all of them then. Returns at once if this happened since it last returned.
  ///
  /// - Throws: `CancellationError`.
  public func wait() async throws {
    for source in sources { source.watch() }
    try await arrivals.wait { isWoken || sources.contains(where: \.hasNews) }
    isWoken = false
    for source in sources { source.newsWasTold() }
  }

  /// Removes a source that has ended, as its end would stay news.
  public func remove(_ source: any Selectable) { sources.removeAll { $0 === source } }

  /// Ends the current or else the next `wait`, for a reader that waits for something else as well.
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
