import Logging
import Loop

/// The way to a kernel that throws away, or piles up, what nobody takes: everything that it says is taken at once, and waits
/// here up to a limit. Of a kernel that may be another, nothing is taken before that is known.
///
/// A kernel that says more than its client reads is told to stop, by an interrupt, and what comes until then is dropped. The
/// execution ends with an error that says so; the kernel's memory lives on.
@LoopActor
final class ReadAheadChannel: KernelChannel {
  private let channel: any KernelChannel
  private var isAhead = false
  private let logger: Logger
  private let arrivals = WaitQueue()
  private var backlog: MessageBacklog
  private var failure: (any Error)?
  private var lastRequest: MessageIdentifier?
  private var handler: (@LoopActor () -> Void)?

  /// - Parameters:
  ///   - channel: what the kernel says comes over it. Nobody else asks it for that.
  ///   - limit: how much may wait, in bytes.
  ///   - keepsOutput: true of a kernel that is said to wait for its reader, as long as `takeOutputAtOnce` is not called.
  init(_ channel: any KernelChannel, limit: Int, keepsOutput: Bool = false, logger: Logger) {
    self.channel = channel
    self.logger = logger
    backlog = MessageBacklog(limit: limit)
    if !keepsOutput { takeOutputAtOnce() }
  }

  func takeOutputAtOnce() {
    guard !isAhead else { return }
    isAhead = true
    LoopActor.task { await self.readAhead() }
  }

  func send(_ request: KernelRequest) async throws {
    if request.channel == .shell {
      backlog.endLoss()
      lastRequest = request.identifier
    }
    try await channel.send(request)
  }

  func hasMissed(_ request: MessageIdentifier) -> Bool { channel.hasMissed(request) }

  func onOverflow(_ handler: @escaping @LoopActor () -> Void) { self.handler = handler }

  func next() async throws -> KernelEvent {
    // Its one caller, who is between two calls when it asks for another way.
    guard isAhead else { return try await channel.next() }
    while true {
      if let event = backlog.popFirst() { return event }
      if let failure { throw failure }
      try await arrivals.wait { !backlog.isEmpty || failure != nil }
    }
  }

  func close() async {
    fail(UVError.cancelled)
    backlog.removeAll()
    await channel.close()
  }

  private func readAhead() async {
    do {
      while failure == nil {
        switch try await channel.next() {
        case .message(let message): try act(on: backlog.append(message, after: lastRequest))
        case .lost(let loss): try act(on: backlog.drop(loss.bytes, after: lastRequest))
        case .died(let how):
          backlog.append(death: how)
          return fail(UVError.endOfFile)
        }
        arrivals.wakeAll()
      }
    } catch {
      backlog.endLoss()
      fail(error)
    }
  }

  private func act(on outcome: MessageBacklog.Outcome) throws {
    switch outcome {
    case .kept, .dropped: break
    case .overflowed:
      logger.warning("output is dropped", metadata: ["unread": "more than \(backlog.limit) bytes"])
      handler?()
    case .overrun: throw KernelOverrun(limit: backlog.limit)
    }
  }

  private func fail(_ error: any Error) {
    failure = failure ?? error
    arrivals.wakeAll()
  }
}
