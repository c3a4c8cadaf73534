import Logging
import Loop
import Bytes

/// A process that has loaded everything a Python kernel loads, and more, and forks a kernel for each request. Such a kernel
/// takes code sooner than one that loads everything itself, and shares the memory of it with the others.
///
/// Requests and replies are lines of JSON on its standard input and output. The kernels outlive it.
@LoopActor
final class ForkServer {
  /// The command that starts it.
  struct Command: Sendable {
    let executable: String
    let arguments: [String]
    let environment: [String: String]
  }

  /// A kernel that the fork server has forked.
  struct Child {
    /// The process identifier.
    let identifier: Int32
    /// nil if it has ended already.
    let process: ProcessDescriptor?
    let end: Promise<ExitStatus>
  }

  /// A fork that was requested.
  private struct PendingFork {
    /// nil if the fork failed.
    let child = Promise<Child?>()
    let end = Promise<ExitStatus>()
  }

  /// In bytes, more than any reply has.
  private static let longestLine = 64 << 10
  /// A fork takes milliseconds, or some hundred of them with many megabytes on a loaded machine. A fork server that takes
  /// longer hangs.
  private static let forkLimit: Duration = .seconds(10)

  /// Loading may take long, such as on a slow disk the first time. A fork server that takes longer hangs.
  private static let loadLimit: Duration = .seconds(120)

  /// True as soon as it can fork; false if it ended before.
  let isPrepared = Promise<Bool>()

  private let process: ChildProcess
  private let log: ProcessLog
  private let subreaper: Subreaper
  private let logger: Logger
  private var pendingForks: [Int64: PendingFork] = [:]
  private var lastIdentifier: Int64 = 0
  private var isGone = false
  private lazy var loading = Deadline { [weak self] in self?.kill() }
  private var listening: Task<Void, Never>?

  /// Starts it. It ends with this process.
  ///
  /// - Parameter subreaper: reports how a kernel ended that has outlived the fork server.
  /// - Throws: `UVError`.
  init(_ command: Command, subreaper: Subreaper, logger: Logger) throws {
    self.subreaper = subreaper
    self.logger = logger
    process = try ChildProcess.spawn(
      executable: command.executable, arguments: command.arguments, environment: command.environment,
      currentDirectory: "/", detached: true, standardInput: .pipe, standardOutput: .pipe,
      standardError: .pipe, diesWithParent: true)
    log = ProcessLog(process.standardError, source: "fork server", level: .info, logger: logger)
    listening = LoopActor.task { await self.listen() }
  }

  /// True while it can fork.
  var canFork: Bool { isPrepared.value == true && !isGone }

  /// Forks a kernel; nil if that fails, or if the fork server ends meanwhile. Waits even if the task is cancelled;
  /// otherwise a kernel could be lost.
  func fork(_ request: ForkRequest) async -> Child? {
    guard canFork, let input = process.standardInput else { return nil }
    lastIdentifier += 1
    let identifier = lastIdentifier
    let pending = PendingFork()
    pendingForks[identifier] = pending
    let deadline = Deadline { self.kill() }
    deadline.start(Self.forkLimit)
    defer { deadline.close() }
    do {
      try await input.write([request.line(identifier)])
    } catch {
      // `listen` notices the end of the fork server, and then fails this fork.
      kill()
    }
    return await pending.child.getRegardless()
  }

  /// Waits until it has ended. Returns how, with the last lines of its output.
  func exit() async -> String {
    await listening?.value
    let status = await process.exit()
    return log.lastLines.isEmpty ? "\(status)" : "\(status): \(log.lastLines)"
  }

  /// Kills it. Its kernels live on.
  func kill() { try? process.kill(.kill) }

  // MARK: Replies

  private func listen() async {
    guard let output = process.standardOutput else { return }
    let lines = LineReader(stream: output, longestLine: Self.longestLine)
    loading.start(Self.loadLimit)
    while let line = await lines.next() {
      if let reply = ForkReply(line) { take(reply) } else { ignore(line) }
    }
    // A fork server that has closed its output cannot be used, whether it has ended or not.
    isGone = true
    loading.close()
    kill()
    isPrepared.fulfil(false)
    for pending in pendingForks.values { pending.child.fulfil(nil) }
    await close()
  }

  private func close() async {
    _ = await process.exit()
    await process.standardInput?.close()
    await process.standardOutput?.close()
    await log.close()
  }

  private func take(_ reply: ForkReply) {
    switch reply {
    case .ready:
      loading.stop()
      isPrepared.fulfil(true)
    case .forked(let identifier, let process): didFork(identifier, process)
    case .failed(let identifier, let reason):
      logger.warning("no kernel was forked", metadata: ["reason": "\(reason)"])
      pendingForks.removeValue(forKey: identifier)?.child.fulfil(nil)
    case .ended(let identifier, let status): didEnd(identifier, status)
    }
  }

  private func didFork(_ identifier: Int64, _ process: Int32) {
    guard let pending = pendingForks[identifier] else { return }
    // Before the fork server can end, and the kernel after it.
    subreaper.expect(process) { pending.end.fulfil($0) }
    do {
      let descriptor = try ProcessDescriptor(process)
      // If the kernel has ended and the fork server has reaped it, another process may have its identifier.
      let isOurs = descriptor.isChild(of: self.process.processIdentifier)
      pending.child.fulfil(Child(identifier: process, process: isOurs ? descriptor : nil, end: pending.end))
    } catch UVError.noSuchProcess {
      pending.child.fulfil(Child(identifier: process, process: nil, end: pending.end))
    } catch {
      // A kernel that signals cannot reach cannot be used.
      logger.warning("a forked kernel cannot be used", metadata: ["reason": "\(error)"])
      ProcessDescriptor.send(.kill, toIdentifier: process)
      pending.child.fulfil(nil)
    }
  }

  private func didEnd(_ identifier: Int64, _ status: ExitStatus) {
    guard let pending = pendingForks.removeValue(forKey: identifier) else { return }
    if case .some(.some(let child)) = pending.child.value { subreaper.disregard(child.identifier) }
    pending.child.fulfil(nil)
    pending.end.fulfil(status)
  }

  private func ignore(_ line: Bytes) {
    logger.info("fork server: \(String(line))")
  }
}
