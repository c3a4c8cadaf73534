/// Several streams that one reader waits for, whichever of them has something new.
@LoopActor
public final class StreamSelector {
  private var streams: [SocketStream]
  private let arrivals = WaitQueue()
  private var isWoken = false

  /// From now on nobody else may `fill` these streams.
  public init(_ streams: [SocketStream]) {
    self.streams = streams
    for stream in streams { stream.input.readers = arrivals }
  }

  /// Waits until more bytes are in the `inbound` of a stream, as many as it was prepared for, one has ended or was
  /// closed, or `wake` was called.
  ///
  /// Returns at once where something of this has happened since it last returned.
  ///
  /// - Throws: `CancellationError`.
  public func wait() async throws {
    for stream in streams where stream.isOpen { stream.startReading() }
    try await arrivals.wait { isWoken || streams.contains(where: \.hasNews) }
    isWoken = false
    for stream in streams { stream.input.hasNews = false }
  }

  /// Waits for this stream no more: one that has ended has no other news.
  public func remove(_ stream: SocketStream) { streams.removeAll { $0 === stream } }

  /// Ends `wait`, or the next one where nobody waits; for a reader that waits for something else as well.
  public func wake() {
    isWoken = true
    arrivals.wakeAll()
  }
}

extension SocketStream {
  fileprivate var hasNews: Bool { input.hasNews || input.ending != nil || !isOpen }
}
