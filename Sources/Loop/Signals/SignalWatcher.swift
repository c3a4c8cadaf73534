import CUV
import DequeModule
import Glibc

/// Receives signals to this process. While it is open, their default action is replaced.
@LoopActor
public final class SignalWatcher {
  private var handles: [SignalHandle] = []
  private var pending = Deque<Signal>()
  private let arrivals = WaitQueue()
  private var isClosed = false

  /// How many unread signals are kept. Further ones carry no new information.
  private static let mostPending = 64

  /// Watches `signals`.
  ///
  /// - Throws: `UVError` if the system refuses, as for `kill`.
  public init(_ signals: [Signal]) throws {
    do {
      for signal in signals {
        let handle = try SignalHandle { [weak self] in self?.didArrive(signal) }
        handles.append(handle)
        try handle.start(signal)
      }
    } catch {
      close()
      throw error
    }
  }

  /// Waits for the next signal.
  ///
  /// - Throws: `UVError.cancelled` when closed; `CancellationError`.
  public func next() async throws -> Signal {
    try Task.checkCancellation()
    while true {
      try await arrivals.wait { !pending.isEmpty || isClosed }
      if let signal = pending.popFirst() { return signal }
      if isClosed { throw UVError.cancelled }
    }
  }

  /// Restores the signals' default action. The owner must call it. Idempotent.
  public func close() {
    isClosed = true
    for handle in handles { handle.startClosing() }
    handles = []
    arrivals.wakeAll()
  }

  private func didArrive(_ signal: Signal) {
    if pending.count < SignalWatcher.mostPending { pending.append(signal) }
    arrivals.wakeFirst()
  }
}

/// The libuv handle of one signal.
private final class SignalHandle: Handle {
  private let onArrival: @LoopActor () -> Void

  init(onArrival: @escaping @LoopActor () -> Void) throws(UVError) {
    self.onArrival = onArrival
    try super.init(uv_signal_t.self) { uv_signal_init(EventLoop.shared.raw, $0) }
  }

  func start(_ signal: Signal) throws(UVError) {
    try checked(
      uv_signal_start(
        pointer(as: uv_signal_t.self),
        { handle, _ in
          guard let owner = Handle.owner(handle?.pointee.data, as: SignalHandle.self) else { return }
          LoopActor.enter { owner.onArrival() }
        }, signal.rawValue))
  }
}

/// The signals that this program sends or receives.
public enum Signal: CInt, Sendable {
  /// SIGHUP: by convention, read the configuration again
  case hangUp = 1
  /// SIGINT, Control-C
  case interrupt = 2
  /// SIGKILL; cannot be watched.
  case kill = 9
  /// SIGUSR1, for tests
  case user1 = 10
  /// SIGUSR2, for tests
  case user2 = 12
  /// SIGTERM
  case terminate = 15
  /// SIGCHLD
  case child = 17
  /// SIGCONT
  case `continue` = 18
  /// SIGSTOP; cannot be watched.
  case stop = 19
}
