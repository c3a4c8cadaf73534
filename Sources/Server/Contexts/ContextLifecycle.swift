import Jupyter

/// The life cycle of a context's kernel as a state machine: events in, actions for the driver out. Performs no I/O.
///
/// Each start has a number. A kernel whose start is not the latest is discarded.
struct ContextLifecycle {
  /// The driver's next action, for the start with the number `startNumber`.
  enum Action: Equatable {
    /// Start a kernel.
    case start
    /// End the kernel, if there is one, and start another.
    case restart
    /// End what is left of the lost kernel and start another, with retries while the provider does not answer.
    case replace(KernelEnd)
    /// Reconnect to the lost kernel; if that fails, replace it.
    case reconnect(KernelEnd)
  }

  /// The state of the context.
  enum State: Equatable {
    /// No kernel was needed yet.
    case unused
    /// The first kernel is starting.
    case starting
    /// The kernel takes code.
    case ready
    /// The kernel has died, and a replacement is starting.
    case lost
    /// The connection to the kernel is lost, or its provider does not answer.
    case disconnected
    /// A requested replacement is starting.
    case restarting
    /// The context is deleted.
    case deleted(KernelEnd)
  }

  private(set) var state = State.unused
  /// The number of the latest start.
  private(set) var startNumber = 0
  /// Why the memory was lost, if no client has requested it; nil if there is nothing to report.
  private var loss: String?
  /// Why the memory is lost if the kernel cannot be reconnected.
  private var possibleLoss: String?
  /// The kernel that user code has asked to exit, and the reason to report.
  private var expectedEnd: (kernel: ObjectIdentifier, reason: String)?

  /// True while the kernel takes code.
  var isReady: Bool { state == .ready }
  /// True while the kernel's provider does not answer.
  var isDisconnected: Bool { state == .disconnected }
  /// True once a kernel was started.
  var hasBegun: Bool { startNumber > 0 }
  /// Why the context was deleted; nil if it was not.
  var deletion: KernelEnd? { if case .deleted(let end) = state { end } else { nil } }

  /// A kernel is needed.
  mutating func begin() -> Action? { hasBegun ? nil : provide(.start, in: .starting) }

  /// A start has failed and is tried again.
  mutating func retryStart() -> Action? {
    provide(.start, in: state == .disconnected ? .disconnected : .starting)
  }

  /// The kernel is replaced.
  ///
  /// - Parameter failure: why it must be replaced; nil if a client has requested it.
  /// - Throws: `KernelEnd` if the context was deleted.
  mutating func restart(after failure: String?) throws(KernelEnd) -> Action? {
    if let deletion { throw deletion }
    loss = failure
    possibleLoss = nil
    return provide(.restart, in: state == .disconnected ? .disconnected : .restarting)
  }

  /// User code has asked the kernel to exit.
  mutating func expectEnd(of kernel: ObjectIdentifier, because reason: String) {
    expectedEnd = (kernel, reason)
  }

  /// The kernel, or the connection to it, has ended unexpectedly.
  mutating func kernelEnded(_ kernel: ObjectIdentifier, _ end: KernelEnd) -> Action? {
    let reason = expectedEnd?.kernel == kernel ? expectedEnd?.reason : end.explanation
    // If a replacement was starting already, the end is not reported.
    let isUnexpected = isReady
    if case .connectionLost = end {
      possibleLoss = isUnexpected ? reason : nil
      return provide(.reconnect(end), in: .disconnected)
    }
    if isUnexpected { loss = reason }
    return provide(.replace(end), in: state == .disconnected ? .disconnected : .lost)
  }

  /// The kernel of this start cannot be reconnected.
  mutating func kernelNotRecovered(_ startNumber: Int) {
    guard startNumber == self.startNumber, let possibleLoss else { return }
    loss = possibleLoss
    self.possibleLoss = nil
  }

  /// The kernel of this start takes code. False if a later start has replaced it.
  mutating func kernelReady(_ startNumber: Int) -> Bool {
    guard startNumber == self.startNumber else { return false }
    expectedEnd = nil
    possibleLoss = nil
    if deletion == nil { state = .ready }
    return true
  }

  /// Takes the reason for the loss of memory once the new kernel is ready, for one execution to report.
  mutating func takeLoss() -> String? {
    guard isReady else { return nil }
    defer { loss = nil }
    return loss
  }

  /// The context is deleted.
  mutating func delete(because end: KernelEnd) { state = .deleted(end) }

  private mutating func provide(_ action: Action, in state: State) -> Action? {
    guard deletion == nil else { return nil }
    startNumber += 1
    self.state = state
    return action
  }
}
