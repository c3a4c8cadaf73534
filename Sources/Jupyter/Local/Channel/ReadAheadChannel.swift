import Logging
import Loop

/// A channel to a kernel that drops or accumulates output that is not read. Everything it sends is read at once, and
/// queued here up to a limit. If the kernel may be one that waits for its reader, nothing is read ahead until that is
/// known.
///
/// A kernel that prints more than its client reads is paused, if it can be. Where it is not, the code is interrupted, and its
/// output until then is dropped. The execution ends with an error that says so; the kernel keeps its state.
@LoopActor
final class ReadAheadChannel: KernelChannel {
  private let channel: any KernelChannel
  private var isAhead = false
  private let logger: Logger
  private let arrivals = WaitQueue()
  private var queue: MessageQueue
  private var failure: (any Error)?
  private var lastRequest: MessageIdentifier?
  private var handler: (@LoopActor () -> Void)?
  /// Pauses the kernel, or lets it go on; nil if it cannot be paused.
  private let pause: (@LoopActor (Bool) -> Void)?
  private var isPaused = false

  /// - Parameters:
  ///   - channel: the channel that is read. Nothing else calls its `next`.
  ///   - limit: how many bytes may wait.
  ///   - keepsOutput: true if the kernel is expected to wait for its reader. Then reading ahead begins with
  ///     `takeOutputAtOnce`.
  ///   - pause: called with true when the kernel should pause, with false when it may go on; nil if it cannot be paused.
  init(
    _ channel: any KernelChannel, limit: Int, keepsOutput: Bool = false, logger: Logger,
    pause: (@LoopActor (Bool) -> Void)? = nil
  ) {
    self.channel = channel
    self.logger = logger
    self.pause = pause
    queue = MessageQueue(limit: limit)
    if !keepsOutput { takeOutputAtOnce() }
  }

  func takeOutputAtOnce() {
    guard !isAhead else { return }
    isAhead = true
    LoopActor.task { await self.readAhead() }
  }

  func openInput() async throws { try await channel.openInput() }

  func send(_ request: KernelRequest) async throws {
    if request.frame.channel == .shell {
      queue.endLoss()
      lastRequest = request.identifier
    }
    try await channel.send(request)
  }

  func hasMissed(_ request: MessageIdentifier) -> Bool { channel.hasMissed(request) }

  func onOverflow(_ handler: @escaping @LoopActor () -> Void) { self.handler = handler }

  func next() async throws -> KernelEvent {
    // `next` has one caller, which calls `takeOutputAtOnce` only between two calls of `next`.
    guard isAhead else { return try await channel.next() }
    while true {
      if let event = queue.popFirst() {
        relieve()
        return event
      }
      if let failure { throw failure }
      try await arrivals.wait { !queue.isEmpty || failure != nil }
    }
  }

  func close() async {
    fail(UVError.cancelled)
    queue.removeAll()
    relieve()
    await channel.close()
  }

  private func relieve() {
    guard queue.isPressing != isPaused else { return }
    isPaused = queue.isPressing
    pause?(isPaused)
  }

  private func readAhead() async {
    do {
      while failure == nil {
        switch try await channel.next() {
        case .message(let message): try act(on: queue.append(message, after: lastRequest))
        case .lost(let loss): try act(on: queue.drop(loss.bytes, after: lastRequest))
        case .died(let how):
          queue.append(death: how)
          return fail(UVError.endOfFile)
        }
        relieve()
        arrivals.wakeAll()
      }
    } catch {
      queue.endLoss()
      fail(error)
    }
  }

  private func act(on outcome: MessageQueue.Outcome) throws {
    switch outcome {
    case .kept, .dropped: break
    case .overflowed:
      logger.warning("output is dropped", metadata: ["unread": "more than \(queue.limit) bytes"])
      handler?()
    case .overrun: throw KernelOverrun(limit: queue.limit)
    }
  }

  private func fail(_ error: any Error) {
    failure = failure ?? error
    arrivals.wakeAll()
  }
}
