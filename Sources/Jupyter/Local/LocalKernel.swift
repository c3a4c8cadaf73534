import Logging
import Loop

/// A kernel whose process is ours: from its connection file to the end of its last child.
@LoopActor
final class LocalKernel {
  /// What the environment of a kernel and of all that it starts holds, with a value that no other kernel has.
  static let markName = "CODE_INTERPRETER_KERNEL"
  /// How long a kernel may take to have its sockets. Preloading kernels and loaded machines are slow.
  static let startLimit: Duration = .seconds(60)
  /// One that has had its sockets has them at once, or has lost them.
  static let reconnectLimit: Duration = .seconds(2)
  /// The system tells of the end of a process right after that of its connections.
  private static let newsLimit: Duration = .seconds(1)
  /// A kernel that is asked to end gets this, once asked politely and once by SIGTERM, to write what it has to write.
  private static let politeness: Duration = .seconds(1)
  /// For each other kernel that ends at the same time it gets this in addition: they share the processors. An end takes some
  /// 10 ms of one.
  private static let politenessToOthers: Duration = .milliseconds(50)
  /// A kernel that takes interrupts as messages answers within this, or is taken for deaf.
  private static let interruptLimit: Duration = .seconds(2)

  /// What the kernel is made of, apart from its process.
  struct Plan {
    let spec: LocalKernelSpec
    let connection: ConnectionInfo
    /// What the sockets to it are made of.
    let maker: KernelSocketMaker
    let limits: KernelLimits
    /// Those that it is to listen on: nobody else gets them while it is there.
    let ports: [ReservedPort]
    /// The name of its files in the run directory.
    let name: String
    let order: SpawnSpec
    /// What it and all that it starts bear.
    let tag: ProcessTag
    let mark: String
    /// Those that code in it may import, as they were before it was started.
    let packages: InstalledPackages.Snapshot
  }

  /// How many are asked to end.
  private static var ending = 0

  private let plan: Plan
  private let process: any KernelProcess
  private let directory: RunDirectory
  private let logger: Logger
  private var channel: ZeroMQKernelChannel?
  private var reaping: Task<Void, Never>?

  /// Starts the process; `connect` waits until it can be spoken to.
  ///
  /// - Parameters:
  ///   - launchers: asked one after the other.
  ///   - explain: says how it died, from how its process ended.
  /// - Throws: `KernelProviderError`, `UVError`.
  static func start(
    _ plan: Plan, by launchers: [any KernelLauncher], in directory: RunDirectory,
    logger: Logger, explain: @escaping @LoopActor (ExitStatus) async -> String
  ) async throws -> LocalKernel {
    do {
      try await SmallFile.create(
        plan.order.connectionFile, plan.connection.json(kernelName: plan.spec.spec.name))
      let process = try await launch(plan.order, by: launchers)
      // Before code of users runs, which may start anything.
      if !plan.tag.apply(to: process.identifier) {
        logger.notice("the system lets no limits be set: a kernel's daemons may outlive it")
      }
      let kernel = LocalKernel(plan, process, directory, logger: logger)
      kernel.reaping = LoopActor.task { await kernel.reap(explain) }
      return kernel
    } catch {
      await directory.remove(plan.name)
      throw error
    }
  }

  private static func launch(
    _ order: SpawnSpec, by launchers: [any KernelLauncher]
  ) async throws -> any KernelProcess {
    for launcher in launchers {
      if let process = try await launcher.launch(order) { return process }
    }
    throw KernelProviderError.kernelDidNotStart("there is no way to start it")
  }

  private init(
    _ plan: Plan, _ process: any KernelProcess, _ directory: RunDirectory, logger: Logger
  ) {
    self.plan = plan
    self.process = process
    self.directory = directory
    self.logger = logger
  }

  // MARK: Its channel

  /// True where the kernel is not met at ports.
  var hasUnixSockets: Bool { plan.ports.isEmpty }

  /// Opens a channel, as soon as the kernel has its sockets; its output is heard when this returns.
  ///
  /// - Throws: `KernelProviderError`, `UVError`, `CancellationError`.
  func connect(within limit: Duration = startLimit) async throws -> any KernelChannel {
    do {
      let channel = try await withDeadline(limit) { try await self.openChannel() }
      // Other makers' kernels that keep their output say so nowhere else.
      if plan.spec.keepsOutput, !plan.spec.isOurs { return channel }
      return ReadAheadChannel(
        channel, limit: plan.limits.unreadOutput, keepsOutput: plan.spec.keepsOutput, logger: logger)
    } catch is DeadlineExceeded {
      throw KernelProviderError.kernelDidNotStart("nobody answered on its sockets after \(limit)")
    } catch let error where !(error is KernelProviderError || error is CancellationError) {
      // Its end shows in its connections before we are told of it.
      if await hasEnded(within: Self.newsLimit) { throw startFailure }
      throw error
    }
  }

  private func openChannel() async throws -> ZeroMQKernelChannel {
    channel?.abort()
    channel = nil
    try await untilBound()
    while true {
      do {
        let channel = try await ZeroMQKernelChannel.open(
          plan.connection, by: plan.maker, keepsOutput: plan.spec.keepsOutput,
          limits: plan.limits, logger: logger,
          hasEnded: { [process] in process.exitStatus != nil || ProcessEntry.hasEnded(process.identifier) })
        self.channel = channel
        // It may have ended meanwhile, and nobody is told of that a second time.
        if process.exitStatus != nil { throw startFailure }
        return channel
      } catch let error as UVError where error == .connectionRefused && process.exitStatus == nil {
        // It has bound the last of them, or is still to bind its ports, and does not listen yet.
        try await EventLoop.sleep(for: plan.maker.retryInterval)
      }
    }
  }

  /// Waits until the kernel has made its sockets, where that can be seen.
  private func untilBound() async throws {
    let sockets = [ConnectionInfo.Port.iopub, .shell, .control].compactMap { port in
      if case .path(let path) = plan.connection.endpoint(port) { path } else { nil }
    }
    while true {
      let seen = directory.watcher.changes
      if process.exitStatus != nil { throw startFailure }
      if sockets.allSatisfy(SmallFile.exists) { return }
      try await directory.watcher.untilChange(after: seen)
    }
  }

  private var startFailure: KernelProviderError {
    let how = process.exitStatus.map(\.description) ?? "it ended"
    return .kernelDidNotStart(process.lastLines.isEmpty ? how : "\(how): \(process.lastLines)")
  }

  // MARK: Its life and end

  /// True while the process lives, and as long as the packages are those that there were when it was started. The news of
  /// its end may still be on its way to us, so the system is asked.
  var isFresh: Bool {
    !process.hasEnded && plan.packages.isCurrent
  }

  /// True where one of `launchers` would make a better one.
  func canUpgrade(with launchers: [any KernelLauncher]) -> Bool {
    launchers.contains { $0.canUpgrade(to: plan.order, than: process) }
  }

  /// Interrupts what runs, the way that the kernelspec asks for.
  ///
  /// - Throws: `KernelProviderError`, `DeadlineExceeded`, `UVError`.
  func interrupt() async throws {
    guard process.exitStatus == nil else { throw KernelProviderError.kernelIsGone }
    switch plan.spec.interruptMode {
    case .signal: process.signal(.interrupt)
    case .message:
      guard let channel else { throw KernelProviderError.kernelIsGone }
      try await withDeadline(Self.interruptLimit) { try await channel.ask(ControlRequest.interrupt.make()) }
    }
  }

  /// Asks the kernel to end, then makes it; it and all that it started are gone on return.
  ///
  /// - Parameter isBusy: code runs in it, which would keep it from hearing the request.
  func shutDown(isBusy: Bool) async {
    Self.ending += 1
    defer { Self.ending -= 1 }
    if isBusy, plan.spec.interruptMode == .signal { process.signal(.interrupt) }
    try? await channel?.send(ControlRequest.shutdown.make())
    if await !hasEndedPolitely() {
      process.signal(.terminate)
      if await !hasEndedPolitely() { logger.warning("the kernel does not end: it is killed") }
    }
    await kill()
  }

  /// Ends the kernel and all that it started at once.
  func kill() async {
    if process.exitStatus == nil { process.signal(.kill) }
    await untilGone()
    channel?.abort()
  }

  /// Waits until the process has ended, by whatever, and everything of it is gone.
  func untilGone() async { await reaping?.value }

  private func hasEndedPolitely() async -> Bool {
    // More may be asked while this one ends.
    var granted: Duration = .zero
    while granted < Self.politeness + Self.politenessToOthers * (Self.ending - 1) {
      let limit = Self.politeness + Self.politenessToOthers * (Self.ending - 1) - granted
      if await hasEnded(within: limit) { return true }
      granted += limit
    }
    return false
  }

  private func hasEnded(within limit: Duration) async -> Bool {
    _ = try? await withDeadline(limit) { try await self.process.untilExit() }
    return process.exitStatus != nil
  }

  /// Clears away what is left of the process, and tells the channel how it ended.
  private func reap(_ explain: @LoopActor (ExitStatus) async -> String) async {
    await process.gone()
    process.signal(.kill)
    let clearing = LoopActor.task { await self.clear() }
    let status = await process.exit()
    directory.watcher.wake()
    if let channel { channel.kernelDied(await explain(status)) }
    await clearing.value
    await process.close()
  }

  private func clear() async {
    let removing = LoopActor.task { await self.directory.remove(self.plan.name) }
    let left = await Descendants(session: process.identifier, tag: plan.tag, variable: plan.mark).kill()
    if !left.isEmpty {
      logger.warning("processes of a kernel would not go", metadata: ["processes": "\(left)"])
    }
    await removing.value
  }
}
