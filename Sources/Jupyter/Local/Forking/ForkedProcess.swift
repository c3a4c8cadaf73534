import Logging
import Loop

/// A kernel that the fork server has forked. It is not a child of this process, unless it has outlived the fork server.
@LoopActor
final class ForkedProcess: KernelProcess {
  /// How long after its end the fork server may take to report how it ended, unless it has ended as well.
  private static let reportLimit: Duration = .seconds(1)

  let identifier: Int32
  private let process: ProcessDescriptor?
  private let end: Promise<ExitStatus>
  private let disappearance = Promise<Void>()
  private let log: ProcessLog
  private let logger: Logger
  private var watching: Task<Void, Never>?

  var exitStatus: ExitStatus? { end.value }
  var lastLines: String { log.lastLines }

  /// - Parameter log: the FIFO that its output is read from.
  init(_ child: ForkServer.Child, log: SocketStream, logger: Logger) {
    identifier = child.identifier
    process = child.process
    end = child.end
    self.log = ProcessLog(log, logger: logger)
    self.logger = logger
    watching = LoopActor.task { await self.watch() }
  }

  var hasEnded: Bool { exitStatus != nil || process?.hasEnded ?? true }

  func gone() async { await disappearance.getRegardless() }

  func exit() async -> ExitStatus { await end.getRegardless() }

  func untilExit() async throws -> ExitStatus { try await end.get() }

  func signal(_ signal: Signal) {
    // It has no process group of its own right after the fork.
    if let process, !process.sendToGroup(signal) { process.send(signal) }
  }

  func close() async {
    await watching?.value
    await log.close()
  }

  /// Notices an end that is never reported: the fork server may have ended right after it learned of it.
  private func watch() async {
    defer { disappearance.fulfil(()) }
    do {
      if let process {
        let watch = try ProcessWatcher(process)
        defer { watch.close() }
        try await watch.untilEnd()
      }
    } catch {
      logger.debug("a kernel's process cannot be watched", metadata: ["reason": "\(error)"])
      _ = await end.getRegardless()
      return
    }
    disappearance.fulfil(())
    _ = try? await withDeadline(Self.reportLimit) { try await self.end.get() }
    end.fulfil(.unknown)
  }
}
