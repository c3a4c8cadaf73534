import Logging
import Loop

/// A kernel in a process of this machine, from its connection file to the end of its last child process.
@LoopActor
final class LocalKernel {
  /// The environment variable that marks a kernel and everything it starts. Its value differs for each kernel.
  nonisolated static let markName = "CODE_INTERPRETER_KERNEL"
  /// How long a kernel may take to bind its sockets. Kernels that preload modules are slow, and so are loaded machines.
  static let startLimit: Duration = .seconds(60)
  /// How long a reconnection may take. A kernel that has bound its sockets before still has them, or has lost them.
  static let reconnectLimit: Duration = .seconds(2)
  /// The system reports the end of a process right after the end of its connections.
  private static let exitReportLimit: Duration = .seconds(1)
  /// How long a kernel may take to end and to write what it has to write: once after the shutdown request, once after
  /// SIGTERM.
  private static let gracePeriod: Duration = .seconds(1)
  /// The additional grace period for each other kernel that is shut down at the same time, as they share the processors. One
  /// shutdown takes about 10 ms of processor time.
  private static let gracePeriodPerOther: Duration = .milliseconds(50)
  /// How long a kernel may take to answer an `interrupt_request`.
  private static let interruptLimit: Duration = .seconds(2)

  /// Everything about a kernel but its process.
  struct Plan {
    let spec: LocalKernelSpec
    let connection: ConnectionInfo
    /// Makes the sockets that connect to the kernel.
    let maker: KernelSocketMaker
    let limits: KernelLimits
    /// The ports that the kernel listens on, reserved while it lives; empty if it listens on Unix sockets.
    let ports: [ReservedPort]
    let directory: KernelDirectory
    let spawnSpec: SpawnSpec
    /// The tag of the kernel and of everything it starts.
    let tag: ProcessTag
    let mark: String
    /// The packages that its code can import, as they were before it was started.
    let packages: InstalledPackages.Snapshot
  }

  /// How many kernels are being shut down.
  private static var ending = 0

  private let plan: Plan
  private let process: any KernelProcess
  private let logger: Logger
  private var channel: ZeroMQChannel?
  private var reaping: Task<Void, Never>?
  private var usageCache: CachedValue<ProcessUsage>?
  private var pace = Pace.running
  /// Why this process has ended it; nil if it has not.
  private var excess: String?
  /// How its resources are limited; empty if they are not.
  private(set) var limitMethods: [LimitMethod] = []
  private var limits = ResourceLimits()
  /// nil if it has none of its own.
  private var controlGroup: ControlGroup?

  /// Whether a kernel that does not wait for its client is made to wait.
  private enum Pace {
    case running
    /// Its process group is stopped: its client does not read.
    case paused
    /// It has to obey an interrupt, and may print until its client reads again, or its output is dropped.
    case interrupted
    /// It has to end.
    case ending
  }

  /// Starts the process. `connect` waits until the kernel answers.
  ///
  /// - Parameters:
  ///   - launchers: tried in order, until one starts the process.
  ///   - explain: describes how the kernel died, from the exit status of its process.
  /// - Throws: `KernelProviderError`, `UVError`.
  static func start(
    _ plan: Plan, by launchers: [any KernelLauncher],
    logger: Logger, explain: @escaping @LoopActor (ExitStatus) async -> String
  ) async throws -> LocalKernel {
    do {
      try await SmallFile.create(
        plan.spawnSpec.connectionFile, plan.connection.json(kernelName: plan.spec.spec.name))
      let process = try await launch(plan.spawnSpec, by: launchers)
      // Before users' code runs, which may start processes.
      if !plan.tag.apply(to: process.identifier) {
        logger.notice("the system does not allow setting limits: a kernel's daemons may outlive it")
      }
      let kernel = LocalKernel(plan, process, logger: logger)
      kernel.reaping = LoopActor.task { await kernel.reap(explain) }
      return kernel
    } catch {
      await plan.directory.remove()
      throw error
    }
  }

  private static func launch(
    _ spawnSpec: SpawnSpec, by launchers: [any KernelLauncher]
  ) async throws -> any KernelProcess {
    for launcher in launchers {
      if let process = try await launcher.launch(spawnSpec) { return process }
    }
    throw KernelProviderError.kernelDidNotStart("no launcher could start it")
  }

  private init(_ plan: Plan, _ process: any KernelProcess, logger: Logger) {
    self.plan = plan
    self.process = process
    self.logger = logger
  }

  // MARK: Channel

  /// True if the kernel listens on Unix sockets.
  var hasUnixSockets: Bool { plan.ports.isEmpty }

  /// Opens a channel as soon as the kernel has bound its sockets. The channel is subscribed to its output when this returns.
  ///
  /// - Throws: `KernelProviderError`, `UVError`, `CancellationError`.
  func connect(within limit: Duration = startLimit) async throws -> any KernelChannel {
    do {
      let channel = try await withDeadline(limit) { try await self.openChannel() }
      // The kernelspec decides for a third-party kernel. One of ours may run a stock ipykernel, which is known from its
      // `kernel_info_reply` only.
      if plan.spec.keepsOutput, !plan.spec.isOurs { return channel }
      return ReadAheadChannel(
        channel, limit: plan.limits.unreadOutput, keepsOutput: plan.spec.keepsOutput, logger: logger
      ) { [weak self] in
        self?.pause($0)
      }
    } catch is DeadlineExceeded {
      throw KernelProviderError.kernelDidNotStart("no answer on its sockets within \(limit)")
    } catch let error where !(error is KernelProviderError || error is CancellationError) {
      // The connections of a kernel that ends break before its exit is reported.
      if await hasEnded(within: Self.exitReportLimit) { throw startFailure }
      throw error
    }
  }

  private func openChannel() async throws -> ZeroMQChannel {
    channel?.abort()
    channel = nil
    try await untilBound()
    while true {
      do {
        let channel = try await ZeroMQChannel.open(
          plan.connection, by: plan.maker, keepsOutput: plan.spec.keepsOutput,
          limits: plan.limits, logger: logger,
          hasEnded: { [process] in process.exitStatus != nil || ProcessEntry.hasEnded(process.identifier) })
        self.channel = channel
        // The process may have ended before `channel` was set. Then `reap` had no channel to tell.
        if process.exitStatus != nil { throw startFailure }
        return channel
      } catch let error as UVError where error == .connectionRefused && process.exitStatus == nil {
        // The last socket is bound but does not listen yet, or the ports are not bound yet.
        try await EventLoop.sleep(for: plan.maker.retryInterval)
      }
    }
  }

  /// Waits until the kernel has bound its Unix sockets. Ports cannot be watched.
  private func untilBound() async throws {
    let sockets = [ConnectionInfo.Port.iopub, .shell, .control].compactMap { port in
      if case .path(let path) = plan.connection.endpoint(port) { path } else { nil }
    }
    while true {
      let seen = plan.directory.watcher.changes
      if process.exitStatus != nil { throw startFailure }
      // Code may have put links in their places, to sockets that are out of its own reach.
      if sockets.allSatisfy(SmallFile.isSocket) {
        // Code may change the directory as often as it likes, and every change would wake this process.
        plan.directory.watcher.close()
        return
      }
      try await plan.directory.watcher.untilChange(after: seen)
    }
  }

  private var startFailure: KernelProviderError {
    let how = process.exitStatus.map(\.description) ?? "it ended"
    return .kernelDidNotStart(process.lastLines.isEmpty ? how : "\(how): \(process.lastLines)")
  }

  // MARK: Life cycle

  /// True while the process lives and the packages are those from its start. Asks the system, as the end of the process may
  /// not have been reported yet.
  var isFresh: Bool {
    !process.hasEnded && plan.packages.isCurrent
  }

  /// True if one of `launchers` can now start a better kernel, such as one with modules preloaded.
  func canUpgrade(with launchers: [any KernelLauncher]) -> Bool {
    launchers.contains { $0.canUpgrade(to: plan.spawnSpec, than: process) }
  }

  /// Interrupts the running code, by the kernelspec's `interrupt_mode`.
  ///
  /// - Throws: `KernelProviderError`, `DeadlineExceeded`, `UVError`.
  func interrupt() async throws {
    guard process.exitStatus == nil else { throw KernelProviderError.kernelIsGone }
    if pace == .paused {
      pace = .interrupted
      process.signal(.continue)
    }
    switch plan.spec.interruptMode {
    case .signal: process.signal(.interrupt)
    case .message:
      guard let channel else { throw KernelProviderError.kernelIsGone }
      try await withDeadline(Self.interruptLimit) { try await channel.ask(MessageSession().interrupt()) }
    }
  }

  /// Stops the kernel until its client reads, or lets it go on. What other kernels than ours print is dropped by their sockets
  /// where nobody reads it, or held without a limit: Deno's grew by 200 MB a second.
  private func pause(_ isPausing: Bool) {
    switch (pace, isPausing) {
    case (.running, true):
      pace = .paused
      process.signal(.stop)
    case (.paused, false):
      pace = .running
      process.signal(.continue)
    case (.interrupted, false): pace = .running
    case (.running, false), (.paused, true), (.interrupted, true), (.ending, _): break
    }
  }

  // MARK: Resources

  /// True until its process has ended.
  var isAlive: Bool { process.exitStatus == nil }

  /// Limits what it and everything that it starts may use. Called before users' code runs.
  ///
  /// - Throws: `KernelProviderError.limitTooLow`: the kernel would be ended at once, and so would the next one.
  ///
  /// - Parameter directory: its working directory, which is not that of its start if it was warm.
  func limit(
    to limits: ResourceLimits, in directory: String, groups: ControlGroups, watch: ResourceWatch
  ) async throws {
    guard limits.isAny, isAlive else { return }
    self.limits = limits
    let (kernel, descendants) = (process.identifier, descendants())
    let isPython = plan.spec.spec.language == "python"
    let made = try? await Pending {
      var limited = LimitedProcesses(of: kernel, descendants, limits)
      let isLimitedBySystem = isPython && limited.limitData(of: kernel)
      let group = limited.group(in: groups, for: kernel)
      return (limited, isLimitedBySystem, group)
    }.valueRegardless()
    guard let (limited, isLimitedBySystem, group) = made else { return }
    controlGroup = group
    if let limit = limits.memory, let own = limited.own, own > limit {
      throw KernelProviderError.limitTooLow(
        "the kernel takes \(own) bytes of memory by itself, and may take \(limit)")
    }
    limitMethods = (group == nil ? [] : [.cgroup]) + (isLimitedBySystem ? [.rlimit] : []) + [.watch]
    let own = plan.spawnSpec.isolation == nil ? nil : plan.directory.path
    await watch.add(self, limited, directory: directory, own: own)
  }

  /// Kills it because it uses more than it may.
  func end(because excess: String) {
    guard isAlive, self.excess == nil else { return }
    self.excess = excess
    process.signal(.kill)
  }

  /// Kills everything that the kernel has started; false if it has ended itself.
  func endChildren() async -> Bool {
    guard process.exitStatus == nil else { return false }
    _ = await descendants(sparing: process.identifier).kill()
    return true
  }

  /// What the kernel and everything that it has started use; nil if that cannot be found out.
  ///
  /// It is at most a second old, however many ask.
  func usage() async -> ProcessUsage? {
    guard process.exitStatus == nil else { return nil }
    let usage = usageCache ?? CachedValue { [descendants = descendants()] in try await descendants.usage() }
    usageCache = usage
    return try? await usage.value(maximumAge: .seconds(1))
  }

  private func descendants(sparing kernel: Int32? = nil) -> Descendants {
    Descendants(session: process.identifier, tag: plan.tag, variable: plan.mark, sparing: kernel)
  }

  /// Sends a shutdown request, then SIGTERM, then SIGKILL. The kernel and everything it started are gone on return.
  ///
  /// - Parameter isBusy: true if code is running, which would keep the kernel from reading the request.
  func shutDown(isBusy: Bool) async {
    Self.ending += 1
    defer { Self.ending -= 1 }
    if pace == .paused { process.signal(.continue) }
    pace = .ending
    if isBusy, plan.spec.interruptMode == .signal { process.signal(.interrupt) }
    try? await channel?.send(MessageSession().shutdown())
    if await !hasEndedInTime() {
      process.signal(.terminate)
      if await !hasEndedInTime() { logger.warning("the kernel does not end: it is killed") }
    }
    await kill()
  }

  /// Kills the kernel and everything it started.
  func kill() async {
    if process.exitStatus == nil { process.signal(.kill) }
    await untilGone()
    channel?.abort()
  }

  /// Waits until the process has ended, for whatever reason, and everything it started is gone.
  func untilGone() async { await reaping?.value }

  private func hasEndedInTime() async -> Bool {
    // Other shutdowns may begin while this kernel ends.
    var granted: Duration = .zero
    while granted < Self.gracePeriod + Self.gracePeriodPerOther * (Self.ending - 1) {
      let limit = Self.gracePeriod + Self.gracePeriodPerOther * (Self.ending - 1) - granted
      if await hasEnded(within: limit) { return true }
      granted += limit
    }
    return false
  }

  private func hasEnded(within limit: Duration) async -> Bool {
    _ = try? await withDeadline(limit) { try await self.process.untilExit() }
    return process.exitStatus != nil
  }

  /// Kills what the process left running, removes its files, and tells the channel how it ended.
  private func reap(_ explain: @LoopActor (ExitStatus) async -> String) async {
    await process.gone()
    process.signal(.kill)
    let clearing = LoopActor.task { await self.clear() }
    let status = await process.exit()
    plan.directory.watcher.wake()
    if let channel {
      let how = if let excess = excess ?? memoryExcess(status) { excess } else { await explain(status) }
      channel.kernelDied(how)
    }
    await clearing.value
    if let controlGroup, await !controlGroup.remove() {
      logger.warning(
        "a control group could not be removed", metadata: ["group": "\(controlGroup.directories)"])
    }
    await process.close()
  }

  /// Why the system has killed it, if that was for its memory.
  private func memoryExcess(_ status: ExitStatus) -> String? {
    let isKilled = status == .signal(Int(Signal.kill.rawValue))
    return isKilled && controlGroup?.hasRunOutOfMemory == true ? limits.memoryExcess : nil
  }

  private func clear() async {
    let left = await descendants().kill()
    if !left.isEmpty {
      logger.warning("processes of a kernel could not be killed", metadata: ["processes": "\(left)"])
    }
    await plan.directory.remove()
  }
}
