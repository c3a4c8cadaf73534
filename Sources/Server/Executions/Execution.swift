import Bytes
import Jupyter
import Wire

/// One execution as a state machine: messages and events in, output events and actions for the driver out. Performs no
/// I/O.
struct Execution {
  /// The driver's next action.
  enum Action: Equatable {
    /// Stop waiting for the context's kernel.
    case leaveQueue
    /// Interrupt the kernel.
    case interruptKernel
    /// End the processes that the kernel has started: code may wait for one that ignores interrupts.
    case endChildren
    /// Call `interruptTimedOut` after this, unless the execution ends before.
    case wait(Duration)
    /// Find out whether the kernel has lost the request.
    case findReply
    /// Replace the kernel.
    case replaceKernel
  }

  /// The state of the execution.
  enum State: Equatable {
    /// Another execution uses the kernel, or the kernel does not take code yet.
    case waiting
    /// It was interrupted while it waited: its code does not run.
    case cancelled
    /// The execution has the kernel: its variables are set, then its code runs.
    case running
    /// The kernel was interrupted this many times.
    case interrupted(attempts: Int)
    /// The kernel is idle and has not replied. If the interrupt hit it outside of the code, no reply follows.
    case findingReply(attempts: Int)
    /// The code ignored all interrupts, and its kernel is replaced.
    case replacingKernel
    /// The execution has ended.
    case ended
  }

  /// Why the code is to end before its time.
  enum Interruption: Equatable {
    /// Somebody asked for it, or the client is gone.
    case request
    /// It runs for longer than this.
    case timeout(Duration)
  }

  /// If code continues after an interrupt, it is interrupted again after this time, then after twice as long, and so
  /// on. The first repeat is early because ipykernel loses an interrupt that arrives just before the code begins. The
  /// later ones leave code time to clean up.
  static let patience: Duration = .milliseconds(100)
  /// After how long, by default, the kernel of code is replaced that obeys no interrupt.
  static let defaultGrace: Duration = .seconds(13)

  /// From the first interrupt until the kernel is replaced.
  private let grace: Duration
  /// How often the code is interrupted before its kernel is replaced.
  private let mostInterrupts: Int

  private(set) var state = State.waiting
  /// True once the kernel has started the code.
  private(set) var isAccepted = false
  /// True once the code has asked its kernel to exit, as `exit()` does. The kernel ends a moment later.
  private(set) var endsKernel = false
  /// Why the code is to end before its time; nil where it is not.
  private(set) var interruption: Interruption?
  /// True when the kernel, or the way to it, was lost first.
  private var isLost = false
  private var progress = RequestProgress()
  private var failure = Failure.none

  /// The failure of the code, as far as it is known.
  private enum Failure {
    case none
    /// The reply contains it. The `error` message on iopub, which may come later, has more detail.
    case replied(RepliedFailure)
    /// It was sent to the client.
    case reported
    /// It was reported that output was dropped. No other failure is reported after that.
    case lossReported
  }

  private enum RepliedFailure {
    case error(JSONSlice)
    /// The kernel aborted the request, perhaps before it ran.
    case aborted(hasRun: Bool)
    case unreadable(JSONError)
  }

  /// - Parameter grace: from the first interrupt until the kernel is replaced.
  init(grace: Duration = defaultGrace) {
    self.grace = grace
    var attempts = 1
    // The time of each attempt is the patience times 0, 1, 3, 7, 15 and so on.
    while attempts < 30, Self.patience * ((1 << (attempts + 1)) - 1) <= grace { attempts += 1 }
    mostInterrupts = attempts
  }

  /// True once the reply and `idle` have arrived.
  var isComplete: Bool { progress.isComplete }

  /// True if the execution was interrupted.
  var isInterrupted: Bool { interruption != nil }

  /// How it has ended. Whether it has failed, `ExecutionRecord` knows from what was reported.
  var outcome: ExecutionStatus {
    switch interruption {
    case .timeout: .timedOut
    case .request: .interrupted
    case nil: isLost ? .lost : .succeeded
    }
  }

  /// True if it was reported that output was dropped.
  var isLossReported: Bool { if case .lossReported = failure { true } else { false } }

  /// True if a failure was reported.
  private var isFailureTold: Bool {
    switch failure {
    case .reported, .lossReported: true
    case .none, .replied: false
    }
  }

  // MARK: Transitions

  /// The execution has the kernel.
  mutating func kernelTaken() { if state == .waiting { state = .running } }

  /// The kernel ended before it received the code. The execution waits for another one.
  mutating func kernelMissed() { state = isInterrupted ? .cancelled : .waiting }

  /// The execution has ended, or its kernel has.
  mutating func end() { state = .ended }

  /// The kernel, or the way to it, is lost.
  mutating func lose() { isLost = true }

  /// Interrupts the code. Code that has not started does not run.
  mutating func interrupt(_ interruption: Interruption = .request) -> [Action] {
    guard !isComplete else { return [] }
    switch state {
    case .waiting:
      self.interruption = interruption
      state = .cancelled
      return [.leaveQueue]
    case .running:
      self.interruption = interruption
      state = .interrupted(attempts: 1)
      return findReply() + [.interruptKernel, .wait(patience(after: 1))]
    case .cancelled, .interrupted, .findingReply, .replacingKernel, .ended: return []
    }
  }

  /// The code runs for longer than `limit`. Where it has replied already, only its last output is on its way.
  mutating func timeOut(after limit: Duration) -> [Action] {
    progress.isReplied ? [] : interrupt(.timeout(limit))
  }

  /// How long the last of so many interrupts has.
  private func patience(after attempts: Int) -> Duration {
    attempts < mostInterrupts
      ? Self.patience * (1 << (attempts - 1)) : grace - Self.patience * ((1 << (attempts - 1)) - 1)
  }

  /// The last interrupt had no effect in time.
  mutating func interruptTimedOut() -> [Action] {
    switch state {
    case .interrupted(mostInterrupts), .findingReply(mostInterrupts):
      state = .replacingKernel
      return [.replaceKernel]
    case .interrupted(let attempts):
      state = .interrupted(attempts: attempts + 1)
      let isLast = attempts + 1 == mostInterrupts
      return (isLast ? [.endChildren] : []) + [.interruptKernel, .wait(patience(after: attempts + 1))]
    case .findingReply(let attempts):
      // The code seems to have ended: another interrupt could only hit the next execution.
      state = .findingReply(attempts: attempts + 1)
      return [.wait(patience(after: attempts + 1))]
    case .waiting, .cancelled, .running, .replacingKernel, .ended: return []
    }
  }

  /// The action after a message.
  mutating func findReply() -> [Action] {
    guard case .interrupted(let attempts) = state, progress.isIdle, !progress.isReplied else { return [] }
    state = .findingReply(attempts: attempts)
    return [.findReply]
  }

  // MARK: Output

  /// Takes a message whose parent is this execution's request.
  ///
  /// - Throws: `JSONError` if its content is malformed.
  mutating func receive(_ message: Message) throws(JSONError) -> [OutputEvent] {
    progress.note(message)
    switch (message.channel, message.header.type) {
    case (.shell, .executeReply):
      do {
        return try receiveReply(message.content())
      } catch {
        // No other reply follows: it ends the execution like a valid one.
        return fail(.unreadable(error))
      }
    case (.iopub, .status): return repliedFailure()
    case (.iopub, .executeInput): return try accept(message.content()["execution_count"])
    case (.iopub, .error):
      reportFailure()
      return [reported(.error(in: try message.content()))]
    default: return try OutputEvent.output(of: message)
    }
  }

  /// Output was dropped. The execution ends with the server's error.
  mutating func receive(_ loss: OutputLoss) -> [OutputEvent] {
    guard !isFailureTold else { return [] }
    failure = .lossReported
    return [
      .failure(
        .outputLimitExceeded,
        "more than \(loss.limit) bytes of output waited for the client to read them (--max-unread-output); "
          + "\(loss.bytes) bytes that came after them were dropped")
    ]
  }

  /// The last events: the interrupt, if the kernel did not report it itself.
  func lastEvents() -> [OutputEvent] {
    isInterrupted && !isFailureTold
      ? [reported(.failure(.executionInterrupted, "the execution was interrupted"))] : []
  }

  /// A failure as it is reported: at a time-out it is the time-out, whatever the code raised, with the traceback.
  ///
  /// - Parameter keepsMemory: false where the context's memory is gone.
  func reported(_ failure: OutputEvent, keepsMemory: Bool = true) -> OutputEvent {
    guard case .timeout(let limit) = interruption, case .error(_, _, let traceback) = failure else {
      return failure
    }
    return .timeout(after: limit, keepsMemory: keepsMemory, traceback: traceback)
  }

  private mutating func accept(_ count: JSONSlice?) -> [OutputEvent] {
    guard !isAccepted, let count = count?.integer else { return [] }
    isAccepted = true
    return [.accepted(executionCount: count)]
  }

  private mutating func reportFailure() { if !isLossReported { failure = .reported } }

  private mutating func receiveReply(_ content: JSONSlice) -> [OutputEvent] {
    let hasRun = isAccepted
    // For kernels that send no `execute_input`.
    let accepted = accept(content["execution_count"])
    switch content["status"] {
    case "error"?: return accepted + fail(.error(content))
    // The protocol has `abort`; kernels send `aborted`.
    case "aborted"?, "abort"?: return accepted + fail(.aborted(hasRun: hasRun))
    default:
      endsKernel = content["payload"].map(Self.asksToExit) ?? false
      return accepted + OutputEvent.pages(in: content["payload"])
    }
  }

  private mutating func fail(_ reason: RepliedFailure) -> [OutputEvent] {
    if !isFailureTold { failure = .replied(reason) }
    return repliedFailure()
  }

  /// The failure in the reply, once it is certain that iopub has none.
  private mutating func repliedFailure() -> [OutputEvent] {
    guard isComplete, case .replied(let reason) = failure else { return [] }
    failure = .reported
    switch reason {
    case .error(let content): return [reported(.error(in: content))]
    case .aborted(let hasRun):
      return [
        reported(
          .failure(
            .executionInterrupted,
            hasRun
              ? "the execution was interrupted"
              : "an interrupt emptied the kernel's queue before the code ran"))
      ]
    case .unreadable(let error):
      return [.failure(.connectionLost, "the kernel's reply was not JSON: \(error)")]
    }
  }

  /// https://jupyter-client.readthedocs.io/en/stable/messaging.html#payloads-deprecated
  private static func asksToExit(_ payload: JSONSlice) -> Bool {
    payload.elements.contains { $0["source"]?.isString("ask_exit") == true && $0["keepkernel"]?.bool != true }
  }
}

/// Where an execution is, as clients see it.
enum ExecutionStatus: String, Sendable {
  case queued
  case running
  case waitingForInput = "waiting_for_input"
  case succeeded
  case failed
  case interrupted
  case timedOut = "timed_out"
  case lost
}
