import Logging
import Loop

/// A kernel that the fork server has forked. It is no child of ours, unless it has outlived the fork server.
@LoopActor
final class ForkedKernel: KernelProcess {
  /// Who knows how it ended says so within this after its end, or has ended as well.
  private static let reportLimit: Duration = .seconds(1)

  let identifier: Int32
  private let end: Promise<ExitStatus>
  private let log: ProcessLog
  private let logger: Logger
  private var watching: Task<Void, Never>?

  var exitStatus: ExitStatus? { end.value }
  var lastLines: String { log.lastLines }

  /// - Parameter log: what its output is read from.
  init(_ child: ForkServer.Child, log: SocketStream, logger: Logger) {
    identifier = child.process
    end = child.end
    self.log = ProcessLog(log, logger: logger)
    self.logger = logger
    watching = LoopActor.task { await self.watch() }
  }

  func exit() async -> ExitStatus { await end.getRegardless() }

  func untilExit() async throws -> ExitStatus { try await end.get() }

  func signal(_ signal: Signal) {
    // It has no group yet when it has just been born.
    if !signal.send(toGroup: identifier), exitStatus == nil { signal.send(to: identifier) }
  }

  func close() async {
    await watching?.value
    await log.close()
  }

  /// Notices an end that nobody reports: the fork server may have ended when it had just heard of it.
  private func watch() async {
    do {
      let watch = try ProcessWatch(identifier)
      defer { watch.close() }
      try await watch.untilEnd()
    } catch let error as UVError where error == .noSuchProcess {
      // It was gone before we could look.
    } catch {
      logger.debug("a kernel's end is known by report alone", metadata: ["reason": "\(error)"])
      return
    }
    _ = try? await withDeadline(Self.reportLimit) { try await self.end.get() }
    end.fulfil(.unknown)
  }
}
