import Jupyter

/// Where a context is with its kernel, as a state machine: what happens to it in, what its driver is to do out. It does no
/// I/O.
///
/// Each kernel that is called for has a number. A kernel that is there when another has been called for since is not wanted.
struct ContextLifecycle {
  /// What the driver is to do, for the kernel with the number `call`.
  enum Action: Equatable {
    /// Start a kernel.
    case start
    /// End the kernel, if there is one, and start another.
    case restart
    /// End what is left of the lost kernel, and start another, also if the provider is away for a moment.
    case replace(KernelEnd)
    /// Connect to the lost kernel again; if that fails, replace it.
    case reconnect(KernelEnd)
  }

  /// Where the context is.
  enum State: Equatable {
    /// Nobody has wanted a kernel yet.
    case unused
    /// A kernel starts.
    case starting
    /// The kernel takes code.
    case ready
    /// The kernel has ended by itself, and another starts.
    case lost
    /// The connection to the kernel is lost, or its provider does not answer.
    case away
    /// Somebody asked for another kernel, which starts.
    case restarting
    /// There will be no kernel any more.
    case deleted(KernelEnd)
  }

  private(set) var state = State.unused
  /// The number of the kernel that was called for last.
  private(set) var call = 0
  /// Why the memory is gone, if nobody asked for that; nil where the next execution need not be told.
  private var loss: String?
  /// Why the memory will be gone, if the kernel that was lost with its connection does not come back.
  private var possibleLoss: String?
  /// The kernel that its own code has asked to end, and why.
  private var expectedEnd: (kernel: ObjectIdentifier, reason: String)?

  /// True while the kernel takes code.
  var isReady: Bool { state == .ready }
  /// True while the kernel's provider does not answer.
  var isAway: Bool { state == .away }
  /// True once a kernel has been called for.
  var hasBegun: Bool { call > 0 }
  /// Why there will be no kernel any more; nil while there may be one.
  var deletion: KernelEnd? { if case .deleted(let end) = state { end } else { nil } }

  /// Somebody wants a kernel.
  mutating func begin() -> Action? { hasBegun ? nil : provide(.start, in: .starting) }

  /// A start has failed, and is to be tried again.
  mutating func startAgain() -> Action? { provide(.start, in: state == .away ? .away : .starting) }

  /// Another kernel is to take the place of the one that is there.
  ///
  /// - Parameter failure: why it has to be; nil if a client has asked for it, who need not be told.
  /// - Throws: `KernelEnd` where the context was deleted.
  mutating func restart(after failure: String?) throws(KernelEnd) -> Action? {
    if let deletion { throw deletion }
    loss = failure
    possibleLoss = nil
    return provide(.restart, in: state == .away ? .away : .restarting)
  }

  /// The kernel has been asked to end, by its own code.
  mutating func expectEnd(of kernel: ObjectIdentifier, because reason: String) {
    expectedEnd = (kernel, reason)
  }

  /// The kernel, or the way to it, has ended by itself.
  mutating func kernelEnded(_ kernel: ObjectIdentifier, _ end: KernelEnd) -> Action? {
    let reason = expectedEnd?.kernel == kernel ? expectedEnd?.reason : end.explanation
    // Where another had been called for already, how this one ended does not matter.
    let isUnasked = isReady
    if case .connectionLost = end {
      possibleLoss = isUnasked ? reason : nil
      return provide(.reconnect(end), in: .away)
    }
    if isUnasked { loss = reason }
    return provide(.replace(end), in: state == .away ? .away : .lost)
  }

  /// The kernel with this number has not outlived its connection.
  mutating func kernelNotRecovered(_ call: Int) {
    guard call == self.call, let possibleLoss else { return }
    loss = possibleLoss
    self.possibleLoss = nil
  }

  /// The kernel with this number takes code; false if it is not wanted any more.
  mutating func kernelReady(_ call: Int) -> Bool {
    guard call == self.call else { return false }
    expectedEnd = nil
    possibleLoss = nil
    if deletion == nil { state = .ready }
    return true
  }

  /// Takes the reason why the memory is gone, once the kernel is there that is without it: one execution tells it to its
  /// client.
  mutating func takeLoss() -> String? {
    guard isReady else { return nil }
    defer { loss = nil }
    return loss
  }

  /// There is to be no kernel any more.
  mutating func delete(because end: KernelEnd) { state = .deleted(end) }

  private mutating func provide(_ action: Action, in state: State) -> Action? {
    guard deletion == nil else { return nil }
    call += 1
    self.state = state
    return action
  }
}
