import Bytes
import Jupyter
import Wire

/// One execution as a state machine: what happens to it in, what its client is told and what its driver is to do out. It
/// does no I/O.
struct Execution {
  /// What the driver is to do.
  enum Action: Equatable {
    /// Wait for the context's kernel no longer.
    case leaveQueue
    /// Interrupt what the kernel runs.
    case interruptKernel
    /// Call `patienceEnded` after this, unless the execution ends before.
    case wait(Duration)
    /// Find out whether the kernel has lost the reply.
    case findReply
    /// Replace the kernel.
    case replaceKernel
  }

  /// Where the execution is.
  enum State: Equatable {
    /// The context's kernel is another execution's, or does not take code yet.
    case waiting
    /// It was interrupted while it waited: its code will not run.
    case calledOff
    /// The kernel is its own: its variables are set, then its code runs.
    case running
    /// The kernel was interrupted so often.
    case interrupted(attempts: Int)
    /// The kernel is idle and has not replied. The interrupt may have hit it beside the code, and then no reply comes.
    case findingReply(attempts: Int)
    /// The code obeyed no interrupt, and its kernel is replaced.
    case givenUp
    /// The kernel has nothing more to say to it.
    case ended(wasInterrupted: Bool)
  }

  /// Code that goes on after an interrupt is interrupted again after this, then after twice as long, and so on. The first
  /// repeat comes soon, since ipykernel loses an interrupt that reaches it just before the code begins; the later ones leave
  /// code the time to clean up.
  static let patience: Duration = .milliseconds(100)
  /// After so many, which is after 13 s in all, the kernel is replaced.
  static let mostInterrupts = 7

  private(set) var state = State.waiting
  /// True when the kernel has said that it runs the code.
  private(set) var isAccepted = false
  /// True when the code has asked its kernel to end, as `exit()` does: it will, in a moment.
  private(set) var endsKernel = false
  private var progress = RequestProgress()
  private var failure = Failure.none

  /// What is known of a failure of the code.
  private enum Failure {
    case none
    /// The reply tells of it; iopub, which may come later, may tell it better.
    case replied(RepliedFailure)
    /// The client knows.
    case told
    /// The client knows that output was dropped. That the kernel then obeys no interrupt, or ends, is no other failure.
    case lossTold
  }

  private enum RepliedFailure {
    case error(JSONSlice)
    /// The code was given up, perhaps before it ran.
    case aborted(hasRun: Bool)
    case unreadable(JSONError)
  }

  /// True when the kernel has nothing more to say to it.
  var isComplete: Bool { progress.isComplete }

  /// True when the code was to end before its time.
  var isInterrupted: Bool {
    switch state {
    case .waiting, .running, .ended(wasInterrupted: false): false
    case .calledOff, .interrupted, .findingReply, .givenUp, .ended(wasInterrupted: true): true
    }
  }

  /// True when the client knows that output was dropped.
  var isLossTold: Bool { if case .lossTold = failure { true } else { false } }

  /// True when the client knows of a failure.
  private var isFailureTold: Bool {
    switch failure {
    case .told, .lossTold: true
    case .none, .replied: false
    }
  }

  // MARK: Its way

  /// The kernel is its own.
  mutating func kernelTaken() { if state == .waiting { state = .running } }

  /// The kernel had ended before it got the code: it waits for another.
  mutating func kernelMissed() { state = isInterrupted ? .calledOff : .waiting }

  /// The kernel has nothing more to say to it, or has ended.
  mutating func end() { state = .ended(wasInterrupted: isInterrupted) }

  /// The code is to end; if it has not begun, it does not run.
  mutating func interrupt() -> [Action] {
    guard !isComplete else { return [] }
    switch state {
    case .waiting:
      state = .calledOff
      return []
    case .running:
      state = .interrupted(attempts: 1)
      return findReply() + [.interruptKernel, .wait(Self.patience)]
    case .calledOff, .interrupted, .findingReply, .givenUp, .ended: return []
    }
  }

  /// The client is gone, and nobody waits for this execution.
  mutating func abandon() -> [Action] { [.leaveQueue] + interrupt() }

  /// The last interrupt had no effect in the time that it had.
  mutating func patienceEnded() -> [Action] {
    switch state {
    case .interrupted(Self.mostInterrupts), .findingReply(Self.mostInterrupts):
      state = .givenUp
      return [.replaceKernel]
    case .interrupted(let attempts):
      state = .interrupted(attempts: attempts + 1)
      return [.interruptKernel, .wait(Self.patience * (1 << attempts))]
    case .findingReply(let attempts):
      // The code has ended, as it seems: one more interrupt could only hit what comes next.
      state = .findingReply(attempts: attempts + 1)
      return [.wait(Self.patience * (1 << attempts))]
    case .waiting, .calledOff, .running, .givenUp, .ended: return []
    }
  }

  /// What is to be done after a message.
  mutating func findReply() -> [Action] {
    guard case .interrupted(let attempts) = state, progress.isIdle, !progress.isReplied else { return [] }
    state = .findingReply(attempts: attempts)
    return [.findReply]
  }

  // MARK: What its client is told

  /// Takes a message whose parent is this execution's request.
  ///
  /// - Throws: `JSONError` where its content is not what the protocol says.
  mutating func receive(_ message: Message) throws(JSONError) -> [OutputEvent] {
    progress.note(message)
    switch (message.channel, message.header.type) {
    case (.shell, .executeReply):
      do {
        return try receiveReply(message.content())
      } catch {
        // No other comes: it ends the execution as a good one does.
        return fail(.unreadable(error))
      }
    case (.iopub, .status): return repliedFailure()
    case (.iopub, .executeInput): return try accept(message.content()["execution_count"])
    case (.iopub, .error):
      tellFailure()
      return [.error(in: try message.content())]
    default: return try OutputEvent.output(of: message)
    }
  }

  /// Output was dropped, which ends the execution with an error of ours.
  mutating func receive(_ loss: OutputLoss) -> [OutputEvent] {
    guard !isFailureTold else { return [] }
    failure = .lossTold
    return [
      .failure(
        .outputLimitExceeded,
        "more than \(loss.limit) bytes of output waited for the client to read them (--max-unread-output); "
          + "\(loss.bytes) bytes that came after them were dropped")
    ]
  }

  /// What is left to be told when all has come: that the code was interrupted, where the kernel did not say so itself.
  func lastEvents() -> [OutputEvent] {
    isInterrupted && !isFailureTold ? [.failure(.executionInterrupted, "the execution was interrupted")] : []
  }

  private mutating func accept(_ count: JSONSlice?) -> [OutputEvent] {
    guard !isAccepted, let count = count?.integer else { return [] }
    isAccepted = true
    return [.accepted(executionCount: count)]
  }

  private mutating func tellFailure() { if !isLossTold { failure = .told } }

  private mutating func receiveReply(_ content: JSONSlice) -> [OutputEvent] {
    let hasRun = isAccepted
    // A kernel that announces nothing on iopub still counts.
    let accepted = accept(content["execution_count"])
    switch content["status"] {
    case "error"?: return accepted + fail(.error(content))
    // The protocol says `abort`; kernels say `aborted`.
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

  /// The failure that the reply told, once it is certain that iopub does not tell it.
  private mutating func repliedFailure() -> [OutputEvent] {
    guard isComplete, case .replied(let reason) = failure else { return [] }
    failure = .told
    switch reason {
    case .error(let content): return [.error(in: content)]
    case .aborted(let hasRun):
      return [
        .failure(
          .executionInterrupted,
          hasRun
            ? "the execution was interrupted"
            : "an interrupt emptied the kernel's queue before the code ran")
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
