import Logging
import Loop
import Bytes

/// A process that has loaded all that a kernel in Python loads, and more, and forks a kernel whenever it is asked to: such
/// a kernel takes code sooner than one that loads all that itself, and shares the memory of it with the others.
///
/// Requests and replies are lines of JSON on its standard input and output. The kernels outlive it.
@LoopActor
final class ForkServer {
  /// How it is started.
  struct Command: Sendable {
    let executable: String
    let arguments: [String]
    let environment: [String: String]
  }

  /// A kernel that it has forked.
  struct Child {
    /// The number that the system knows it by.
    let identifier: Int32
    /// nil where it has ended already.
    let process: ProcessDescriptor?
    let end: Promise<ExitStatus>
  }

  /// A kernel that was asked for.
  private struct Birth {
    /// nil where it was not born.
    let child = Promise<Child?>()
    let end = Promise<ExitStatus>()
  }

  /// More than a reply ever has.
  private static let longestLine = 64 << 10
  /// A fork takes milliseconds, on a loaded machine with many megabytes some hundred of them. Who takes longer hangs.
  private static let forkLimit: Duration = .seconds(10)

  /// What it loads may take its time, on a slow disk the first time. Who takes longer hangs.
  private static let loadLimit: Duration = .seconds(120)

  /// True as soon as it can fork; false where it ended before.
  let isPrepared = Promise<Bool>()

  private let process: ChildProcess
  private let log: ProcessLog
  private let subreaper: Subreaper
  private let logger: Logger
  private var births: [Int64: Birth] = [:]
  private var lastIdentifier: Int64 = 0
  private var isGone = false
  private lazy var loading = Deadline { [weak self] in self?.kill() }
  private var listening: Task<Void, Never>?

  /// Starts it; it dies with us.
  ///
  /// - Parameter subreaper: tells how a kernel ended that has outlived the fork server.
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

  /// Forks a kernel; nil where that fails, or the fork server ends meanwhile. Waits also when the task is cancelled:
  /// there would be a kernel that nobody knows of.
  func fork(_ request: ForkRequest) async -> Child? {
    guard canFork, let input = process.standardInput else { return nil }
    lastIdentifier += 1
    let identifier = lastIdentifier
    let birth = Birth()
    births[identifier] = birth
    let patience = Deadline { self.kill() }
    patience.start(Self.forkLimit)
    defer { patience.close() }
    do {
      try await input.write([request.line(identifier)])
    } catch {
      // Its end, which is noticed elsewhere, is that of the birth.
      kill()
    }
    return await birth.child.getRegardless()
  }

  /// Waits until it has ended; says how, and what it said last.
  func exit() async -> String {
    await listening?.value
    let status = await process.exit()
    return log.lastLines.isEmpty ? "\(status)" : "\(status): \(log.lastLines)"
  }

  /// Ends it at once; its kernels live on.
  func kill() { try? process.kill(.kill) }

  // MARK: What it says

  private func listen() async {
    guard let output = process.standardOutput else { return }
    let lines = LineReader(stream: output, longestLine: Self.longestLine)
    loading.start(Self.loadLimit)
    while let line = await lines.next() {
      if let reply = ForkReply(line) { take(reply) } else { ignore(line) }
    }
    // Who says nothing any more is of no use, whether it has ended or only closed its output.
    isGone = true
    loading.close()
    kill()
    isPrepared.fulfil(false)
    for birth in births.values { birth.child.fulfil(nil) }
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
      births.removeValue(forKey: identifier)?.child.fulfil(nil)
    case .ended(let identifier, let status): didEnd(identifier, status)
    }
  }

  private func didFork(_ identifier: Int64, _ process: Int32) {
    guard let birth = births[identifier] else { return }
    // Before the fork server can have ended, and the kernel after it.
    subreaper.expect(process) { birth.end.fulfil($0) }
    do {
      let descriptor = try ProcessDescriptor(process)
      // The number was another's where the kernel has ended and the fork server knows.
      let isOurs = descriptor.isChild(of: self.process.processIdentifier)
      birth.child.fulfil(Child(identifier: process, process: isOurs ? descriptor : nil, end: birth.end))
    } catch UVError.noSuchProcess {
      birth.child.fulfil(Child(identifier: process, process: nil, end: birth.end))
    } catch {
      // One that signals cannot reach is none that we could have.
      logger.warning("a kernel was forked in vain", metadata: ["reason": "\(error)"])
      ProcessDescriptor.send(.kill, toIdentifier: process)
      birth.child.fulfil(nil)
    }
  }

  private func didEnd(_ identifier: Int64, _ status: ExitStatus) {
    guard let birth = births.removeValue(forKey: identifier) else { return }
    if case .some(.some(let child)) = birth.child.value { subreaper.disregard(child.identifier) }
    birth.child.fulfil(nil)
    birth.end.fulfil(status)
  }

  private func ignore(_ line: Bytes) {
    logger.info("fork server: \(String(line))")
  }
}
