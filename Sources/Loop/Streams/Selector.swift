/// A source that a `Selector` can wait for.
@LoopActor
public protocol Selectable: AnyObject, Sendable {
  /// Makes tasks that wait for events wait in `waiters`.
  func setWaiters(_ waiters: WaitQueue)
  /// Begins to read.
  func watch()
  /// True if something happened since `clearEvents`: there is more to receive, or the source has ended.
  var hasEvents: Bool { get }
  /// A wait has returned for the events. The end stays one.
  func clearEvents()
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
    try await arrivals.wait { isWoken || sources.contains(where: \.hasEvents) }
    isWoken = false
    for source in sources { source.clearEvents() }
  }

  /// Removes a source that has ended: its end would end every wait.
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
  public var hasEvents: Bool { input.events.haveBytes || input.ending != nil || !isOpen }

  /// See `Selectable`.
  public func clearEvents() { input.events.haveBytes = false }
}
