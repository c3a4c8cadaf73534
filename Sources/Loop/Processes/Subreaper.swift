import CUV
import Glibc

/// Adopts orphaned descendants (PR_SET_CHILD_SUBREAPER) and reaps them, so that they leave no zombies. In a container
/// this process may also be the init process, which gets orphans anyway. Reports their exit status to those who asked
/// for it.
///
/// Children that this process has started itself are left to libuv.
@LoopActor
public final class Subreaper {
  private let signals: SignalWatcher
  private var expected: [Int32: @LoopActor (ExitStatus) -> Void] = [:]

  /// Starts adopting orphans. The owner closes it.
  /// - Throws: `UVError`.
  public init() throws {
    if adoptOrphans(1) != 0 { throw UVError(systemError: errno) }
    let signals = try SignalWatcher([.child])
    self.signals = signals
    LoopActor.task { [weak self] in
      // This job runs after libuv's own signal handler, so the children that are left are not libuv's.
      while (try? await signals.next()) != nil { self?.sweep() }
    }
  }

  /// Calls `whenEnded` if `process` ends as an orphan of ours. Must be called before it can become one.
  public func expect(_ process: Int32, whenEnded: @escaping @LoopActor (ExitStatus) -> Void) {
    expected[process] = whenEnded
  }

  /// Cancels `expect`.
  public func disregard(_ process: Int32) { expected[process] = nil }

  /// Stops adopting. Idempotent.
  public func close() {
    _ = adoptOrphans(0)
    signals.close()
    expected = [:]
  }

  /// Reaps all ended orphans. It stops at a child of libuv that has ended: the signal for that child is still pending
  /// and starts another sweep.
  private func sweep() {
    while true {
      let process = endedChild()
      var status: CInt = 0
      guard process > 0, !ChildProcess.running.contains(process),
        waitpid(process, &status, WNOHANG) == process
      else { return }
      expected.removeValue(forKey: process)?(ExitStatus(waitStatus: status))
    }
  }
}
