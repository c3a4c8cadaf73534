public import Logging
public import Loop

/// Kernels that we start ourselves, as processes of this machine, and speak ZeroMQ to.
///
/// Everything that a kernel starts is gone when the kernel is, and all kernels are gone when we are, whatever ends us.
@LoopActor
public final class LocalKernelProvider: KernelProvider {
  /// See `KernelProvider`.
  public let sharesFileSystem = true
  /// See `KernelProvider`.
  public let startsInDirectory = true
  /// See `KernelProvider`.
  public let overlapsKernels = true

  private let python: PythonInstallation
  private let environment: [String: String]
  private let preload: [String]?
  private let zeroMQ: ZeroMQImplementation
  private let limits: KernelLimits
  private let logger: Logger
  private let mark = RandomIdentifier.make()
  private var tags = ProcessTagSeries()
  /// Starting a process blocks the loop until the system has scheduled it, and a starting kernel needs a processor for
  /// itself. More starts at the same time are not done sooner, and everybody else waits longer.
  private let starts = Semaphore(permits: max(2, CurrentProcess.processorCount))
  /// A start that takes longer hangs, and does not keep others waiting.
  private static let longestTurn: Duration = .seconds(5)
  private var sharedRuntime: Task<SharedRuntime, any Error>?
  private let installed: CachedValue<[LocalKernelSpec]>
  /// The kernels that should take Unix sockets and do not, by name.
  private var needPorts: Set<String> = []
  private var kernels: [String: LocalKernel] = [:]
  private var endings: [String: Task<Void, Never>] = [:]
  private var memoryKills: Int?
  private var isClosed = false

  /// A kernel is started as its kernelspec was at most so long ago.
  private static let specsAge: Duration = .seconds(60)

  /// What should take Unix sockets has them within this, or gets ports.
  private static let trialLimit: Duration = .seconds(30)

  private static let closed = KernelProviderError.unavailable("the server is shutting down")

  /// What all kernels share, made for the first of them.
  private struct SharedRuntime {
    let directory: RunDirectory
    let reaper: Reaper
    let oomKills: OOMKillCounter
    let subreaper: Subreaper
    let packages: InstalledPackages
    /// Those that are asked first come first.
    let launchers: [any KernelLauncher]
    /// What libzmq's sockets belong to; nil where there are none.
    let zeroMQ: ZeroMQContext?
  }

  /// - Parameters:
  ///   - python: the interpreter that kernels in Python run with, a path or a name in `PATH`; the kernelspecs of its
  ///     installation come first.
  ///   - environment: all variables that kernels inherit.
  ///   - preload: the modules that kernels in Python find loaded, where they are installed, because they are forked from
  ///     a process that has loaded them; nil to start each by itself.
  ///   - zeroMQ: who speaks ZeroMQ to them.
  public init(
    python: String, environment: [String: String], preload: [String]? = nil,
    zeroMQ: ZeroMQImplementation = .auto, limits: KernelLimits = KernelLimits(), logger: Logger
  ) {
    self.python = PythonInstallation(python, path: environment["PATH"])
    self.environment = environment
    self.preload = preload
    self.zeroMQ = zeroMQ
    self.limits = limits
    self.logger = logger
    let finder = KernelSpecFinder(prefix: self.python.prefix, environment: environment)
    installed = CachedValue { await finder.find() }
  }

  /// What is installed.
  public func specs(maximumAge: Duration) async throws -> [KernelSpec] {
    try await installed.value(maximumAge: maximumAge).map(\.spec)
  }

  /// Starts a process and connects to it.
  public func start(
    _ spec: KernelSpec, in directory: String, environment: [String: String]
  ) async throws -> KernelConnection {
    let specs = try await installed.value(maximumAge: Self.specsAge)
    guard let local = specs.first(where: { $0.spec.name == spec.name }) else {
      throw KernelProviderError.refused("there is no kernel '\(spec.name)' on this machine any more")
    }
    let identifier = RandomIdentifier.make()
    return try await starts.withPermit(for: Self.longestTurn) {
      try await self.start(local, identifier, in: directory, environment: environment)
    }
  }

  private func start(
    _ local: LocalKernelSpec, _ identifier: String, in directory: String, environment: [String: String]
  ) async throws -> KernelConnection {
    if isClosed { throw Self.closed }
    do {
      let kernel = try await launch(local, identifier, in: directory, environment: environment)
      kernels[identifier] = kernel
      if isClosed { throw Self.closed }
      let isTrial = local.sockets == .unixElsePorts && kernel.hasUnixSockets
      let limit = isTrial ? Self.trialLimit : LocalKernel.startLimit
      return KernelConnection(identifier: identifier, channel: try await kernel.connect(within: limit))
    } catch {
      let kernel = kernels.removeValue(forKey: identifier)
      await kernel?.kill()
      if local.sockets == .unixElsePorts, kernel?.hasUnixSockets == true, !(error is CancellationError) {
        return try await startWithPorts(
          local, identifier, in: directory, environment: environment, after: error)
      }
      // It may have been there when the kernel was asked for the first time.
      if await Self.isMissing(directory) { throw KernelProviderError.noDirectory(directory) }
      throw Self.hostError(for: error)
    }
  }

  /// Starts a kernel that did not start at Unix sockets. If it does at ports, it always will.
  private func startWithPorts(
    _ local: LocalKernelSpec, _ identifier: String, in directory: String, environment: [String: String],
    after failure: any Error
  ) async throws -> KernelConnection {
    needPorts.insert(local.spec.name)
    do {
      let connection = try await start(local, identifier, in: directory, environment: environment)
      logger.info(
        "the kernel takes no Unix sockets, it gets ports",
        metadata: ["kernel": "\(local.spec.name)", "reason": "\(failure)"])
      return connection
    } catch {
      // Neither way: the sockets are not the reason.
      needPorts.remove(local.spec.name)
      throw error
    }
  }

  /// Connects again, where the process lives.
  public func reconnect(_ identifier: String) async throws -> any KernelChannel {
    guard let kernel = kernels[identifier] else { throw KernelProviderError.kernelIsGone }
    do { return try await kernel.connect(within: LocalKernel.reconnectLimit) } catch {
      throw Self.hostError(for: error)
    }
  }

  /// Interrupts what the kernel runs, the way that its kernelspec asks for.
  public func interrupt(_ identifier: String) async throws {
    guard let kernel = kernels[identifier] else { throw KernelProviderError.kernelIsGone }
    do {
      try await kernel.interrupt()
    } catch is DeadlineExceeded {
      throw KernelProviderError.unavailable("the kernel does not answer a request to interrupt its code")
    }
  }

  /// Ends the kernel and all that it started, politely where it lets itself be asked.
  public func shutDown(_ identifier: String, isBusy: Bool) async {
    await end(identifier) { await $0.shutDown(isBusy: isBusy) }
  }

  /// Ends the kernel and all that it started at once, without asking: for one whose place another is to take, and that
  /// has nothing to say any more. It takes some ten milliseconds, where a polite end takes ten times as long.
  public func kill(_ identifier: String) async { await end(identifier) { await $0.kill() } }

  /// True while the kernel's process lives, and as long as the packages are those that there were when it was started.
  func isFresh(_ identifier: String) -> Bool { kernels[identifier]?.isFresh ?? false }

  private func end(_ identifier: String, _ ending: @escaping @LoopActor (LocalKernel) async -> Void) async {
    if let kernel = kernels.removeValue(forKey: identifier) {
      // In a task of its own: whoever waits may be cancelled, the kernel ends all the same.
      endings[identifier] = LoopActor.task {
        await ending(kernel)
        self.endings[identifier] = nil
      }
    }
    await endings[identifier]?.value
  }

  /// Ends all kernels, and clears away what was made for them.
  public func close() async {
    isClosed = true
    // What was in use has been shut down before: these are warm, or are just starting.
    for kernel in Array(kernels.keys) { LoopActor.task { await self.kill(kernel) } }
    while let kernel = kernels.keys.first ?? endings.keys.first { await kill(kernel) }
    guard let sharedRuntime = try? await sharedRuntime?.value else { return }
    for launcher in sharedRuntime.launchers { await launcher.close() }
    await sharedRuntime.zeroMQ?.close()
    sharedRuntime.subreaper.close()
    sharedRuntime.directory.close()
    await sharedRuntime.reaper.finish()
  }

  /// Waits until a kernel's process is gone, by whatever.
  func untilGone(_ identifier: String) async { await kernels[identifier]?.untilGone() }

  /// Waits until kernels start as fast as they will.
  ///
  /// - Throws: `CancellationError`, and what `start` would throw.
  func untilPrepared() async throws {
    for launcher in try await shared().launchers { try await launcher.untilPrepared() }
  }

  /// Waits until kernels start as fast as they will; see `KernelProvider`.
  public func canUpgrade(_ identifier: String) async throws -> Bool {
    try await untilPrepared()
    return try await kernels[identifier]?.canUpgrade(with: shared().launchers) ?? false
  }

  private func launch(
    _ spec: LocalKernelSpec, _ identifier: String, in directory: String, environment: [String: String]
  ) async throws -> LocalKernel {
    let sharedRuntime = try await shared()
    let name = sharedRuntime.directory.nextName()
    let mark = "\(LocalKernel.markName)=\(mark)/\(identifier)"
    let variables = variables(in: sharedRuntime.directory, for: identifier).merging(environment) { $1 }
    let order = SpawnSpec(
      spec: spec, connectionFile: "\(name).json", log: "\(name)-log", directory: directory,
      environment: variables, hasOwnVariables: !environment.isEmpty)
    let (connection, ports) = try sockets(of: spec, name)
    let plan = LocalKernel.Plan(
      spec: spec, connection: connection, maker: maker(for: spec, sharedRuntime.zeroMQ), limits: limits,
      ports: ports,
      name: name, order: order, tag: tags.next(), mark: mark, packages: sharedRuntime.packages.snapshot)
    return try await LocalKernel.start(
      plan, by: sharedRuntime.launchers, in: sharedRuntime.directory, logger: logger
    ) {
      await self.explain($0, sharedRuntime.oomKills)
    }
  }

  /// What a kernel's environment holds, but for what its start asks for and its kernelspec.
  private func variables(in directory: RunDirectory, for identifier: String) -> [String: String] {
    var variables = directory.environment.merging(environment) { $1 }
    variables[LocalKernel.markName] = "\(mark)/\(identifier)"
    return variables
  }

  /// Where the kernel is to listen.
  private func sockets(of spec: LocalKernelSpec, _ name: String) throws -> (ConnectionInfo, [ReservedPort]) {
    if spec.sockets == .unix || (spec.sockets == .unixElsePorts && !needPorts.contains(spec.spec.name)) {
      return (ConnectionInfo(.local(pathPrefix: name)), [])
    }
    let ports = try ConnectionInfo.Port.allCases.map { _ in try ReservedPort() }
    return (ConnectionInfo(.loopback(ports: ports.map(\.number))), ports)
  }

  private func maker(for spec: LocalKernelSpec, _ context: ZeroMQContext?) -> KernelSocketMaker {
    guard let context, zeroMQ == .library || !spec.isOurs else { return .direct }
    return .library(context)
  }

  private func shared() async throws -> SharedRuntime {
    if let sharedRuntime { return try await sharedRuntime.value }
    let making = LoopActor.task { try await self.makeSharedRuntime() }
    sharedRuntime = making
    do {
      return try await making.value
    } catch {
      sharedRuntime = nil
      throw error
    }
  }

  private func makeSharedRuntime() async throws -> SharedRuntime {
    let directory = try RunDirectory()
    do {
      let reaper = try Reaper(
        mark: "\(LocalKernel.markName)=\(mark)/", tags: tags, directory: directory.path)
      await directory.prepare(prefix: python.prefix)
      let oomKills = await OOMKillCounter.find()
      memoryKills = await oomKills.count()
      let subreaper = try Subreaper()
      let packages = await InstalledPackages(of: python.prefix)
      return SharedRuntime(
        directory: directory, reaper: reaper, oomKills: oomKills, subreaper: subreaper,
        packages: packages,
        launchers: await makeLaunchers(directory, subreaper, packages),
        // Its threads start now, while no kernel can use up what they need.
        zeroMQ: zeroMQ == .direct ? nil : try ZeroMQContext())
    } catch {
      await directory.remove()
      throw error
    }
  }

  private func makeLaunchers(
    _ directory: RunDirectory, _ subreaper: Subreaper, _ packages: InstalledPackages
  ) async -> [any KernelLauncher] {
    let spawning = SpawnLauncher(python, logger: logger)
    guard let preload, let specs = try? await installed.value(maximumAge: Self.specsAge),
      let spec = specs.first(where: { $0.isForkable != nil })
    else { return [spawning] }
    guard spec.isForkable == true else {
      logger.info("this installation has no fork server: each kernel is started by itself")
      return [spawning]
    }
    // Kernels put their own identifier over this one, which must be as long.
    let nobody = "00000000-0000-0000-0000-000000000000"
    let forking = ForkLauncher(
      for: spec, python, packages, preload: preload, environment: variables(in: directory, for: nobody),
      subreaper: subreaper, logger: logger)
    return [forking, spawning]
  }

  /// How a kernel died. Who was killed because memory had run out is killed as by anybody; the difference is in how
  /// often that has happened on the whole.
  private func explain(_ status: ExitStatus, _ oomKills: OOMKillCounter) async -> String {
    let before = memoryKills
    guard status == .signal(Int(Signal.kill.rawValue)), let before, let now = await oomKills.count() else {
      return status.description
    }
    memoryKills = now
    return now > before ? "\(status): out of memory" : status.description
  }

  private static func isMissing(_ directory: String) async -> Bool {
    do {
      _ = try await Pending { () throws(UVError) in try Descriptor.openDirectory(path: directory) }.value()
      return false
    } catch {
      return (error as? UVError).map { [.noEntry, .notDirectory].contains($0) } ?? false
    }
  }

  private static func hostError(for error: any Error) -> any Error {
    switch error {
    case is KernelProviderError, is CancellationError: error
    default: KernelProviderError.kernelDidNotStart("\(error)")
    }
  }
}
