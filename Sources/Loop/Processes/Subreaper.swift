import CUV
import Glibc

/// Processes that have come to us because their parents have ended, as they would to the first process of the machine
/// or container, which we may be besides: they leave no zombies behind, and who wants to know hears how they ended.
///
/// Children that this process has started itself are not meant: libuv waits for each of those.
@LoopActor
public final class Subreaper {
  private let signals: SignalWatcher
  private var expected: [Int32: @LoopActor (ExitStatus) -> Void] = [:]

  /// Adopts them from now on. Whoever makes one closes it.
  /// - Throws: `UVError`.
  public init() throws {
    if adoptOrphans(1) != 0 { throw UVError(systemError: errno) }
    let signals = try SignalWatcher([.child])
    self.signals = signals
    LoopActor.task { [weak self] in
      // A job, which runs after libuv's own handling of the signal: what is left then is not libuv's.
      while (try? await signals.next()) != nil { self?.sweep() }
    }
  }

  /// Tells how `process` ends, should it end as an orphan of ours. Called before it can have become one.
  public func expect(_ process: Int32, whenEnded: @escaping @LoopActor (ExitStatus) -> Void) {
    expected[process] = whenEnded
  }

  /// Forgets about `process`.
  public func disregard(_ process: Int32) { expected[process] = nil }

  /// Adopts no more. Idempotent.
  public func close() {
    _ = adoptOrphans(0)
    signals.close()
    expected = [:]
  }

  /// Waits for all that have ended. Where one of libuv's comes first, the signal for that is still on its way, and
  /// another sweep with it.
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
