public import Logging
public import Loop

/// Starts kernels as processes of this machine and speaks ZeroMQ to them.
///
/// Everything a kernel starts ends with the kernel, and all kernels end with this process, whatever ends it.
@LoopActor
public final class LocalKernelProvider: KernelProvider {
  /// See `KernelProvider`.
  public let sharesFileSystem = true
  /// See `KernelProvider`.
  public let startsInDirectory = true
  /// See `KernelProvider`.
  public let startsWithEnvironment = true
  /// See `KernelProvider`.
  public let overlapsKernels = true
  /// See `KernelProvider`.
  public let limitsKernels = true

  private let python: PythonInstallation
  private let environment: [String: String]
  private let preload: [String]?
  private let zeroMQ: ZeroMQImplementation
  private let limits: KernelLimits
  private let controlGroups: ControlGroups
  private let logger: Logger
  private let mark = RandomIdentifier.make()
  private var tags = ProcessTagSeries()
  /// Limits the kernels that start at the same time. Starting a process blocks the loop until the system has scheduled it,
  /// and a starting kernel needs a processor for itself. More starts at the same time finish no sooner, and delay everything
  /// else.
  private let starts = Semaphore(permits: max(2, CurrentProcess.processorCount))
  /// A start that takes longer hangs. It no longer keeps others waiting.
  private static let longestStart: Duration = .seconds(5)
  private var sharedRuntime: Task<SharedRuntime, any Error>?
  private let installed: CachedValue<[LocalKernelSpec]>
  /// The names of the kernelspecs whose kernels should support Unix sockets and do not.
  private var needPorts: Set<String> = []
  private var kernels: [String: LocalKernel] = [:]
  private var endings: [String: Task<Void, Never>] = [:]
  private let resourceWatch: ResourceWatch
  private var memoryKills: Int?
  private var isClosed = false

  /// The maximum age of the kernelspecs that kernels are started from.
  private static let specsAge: Duration = .seconds(60)

  /// How long a kernel of `SocketChoice.unixElsePorts` may take to bind its Unix sockets before it is started with ports.
  private static let trialLimit: Duration = .seconds(30)

  private static let closed = KernelProviderError.unavailable("the server is shutting down")

  /// What all kernels share. It is made when the first kernel starts.
  private struct SharedRuntime {
    let directory: RunDirectory
    let reaper: Reaper
    let oomKills: OOMKillCounter
    let controlGroups: ControlGroups
    let subreaper: Subreaper
    let packages: InstalledPackages
    /// In the order in which they are tried.
    let launchers: [any KernelLauncher]
    /// The context of libzmq's sockets; nil if libzmq is not used.
    let zeroMQ: ZeroMQContext?
  }

  /// - Parameters:
  ///   - python: the interpreter of Python kernels, a path or a name in `PATH`. The kernelspecs of its installation come
  ///     first.
  ///   - environment: all variables that kernels inherit.
  ///   - preload: the modules that a fork server imports, if they are installed. Python kernels are forked from it and have
  ///     them loaded. nil to start each kernel without a fork server.
  ///   - zeroMQ: the implementation of ZeroMQ that speaks to the kernels.
  ///   - controlGroups: those that may limit kernels.
  public init(
    python: String, environment: [String: String], preload: [String]? = nil,
    zeroMQ: ZeroMQImplementation = .auto, limits: KernelLimits = KernelLimits(),
    controlGroups: ControlGroups = .none, logger: Logger
  ) {
    self.python = PythonInstallation(python, path: environment["PATH"])
    self.environment = environment
    self.preload = preload
    self.zeroMQ = zeroMQ
    self.limits = limits
    self.controlGroups = controlGroups
    self.logger = logger
    resourceWatch = ResourceWatch(logger: logger)
    let finder = KernelSpecFinder(prefix: self.python.prefix, environment: environment)
    installed = CachedValue { await finder.find() }
  }

  /// The installed kernelspecs.
  public func specs(maximumAge: Duration) async throws -> [KernelSpec] {
    try await installed.value(maximumAge: maximumAge).map(\.spec)
  }

  /// Starts a process and connects to it.
  public func start(
    _ spec: KernelSpec, in directory: String, environment: [String: String],
    isolation: KernelIsolation
  ) async throws -> KernelConnection {
    try await start(spec, in: Optional(directory), environment: environment, isolation: isolation)
  }

  /// Starts an isolated kernel that waits for `KernelConnection.enter` with its working directory.
  ///
  /// - Throws: what `start` throws.
  func startWithoutDirectory(_ spec: KernelSpec, isolation: KernelIsolation) async throws -> KernelConnection
  {
    try await start(spec, in: nil, environment: [:], isolation: isolation)
  }

  /// True if kernels of this kind can be started without a directory.
  func startsWithoutDirectory(_ spec: KernelSpec) async -> Bool {
    (try? await local(spec))?.isOurs ?? false
  }

  /// The installed kernelspec of that name; nil if it is not there any more.
  private func local(_ spec: KernelSpec) async throws -> LocalKernelSpec? {
    try await installed.value(maximumAge: Self.specsAge).first { $0.spec.name == spec.name }
  }

  private func start(
    _ spec: KernelSpec, in directory: String?, environment: [String: String], isolation: KernelIsolation
  ) async throws -> KernelConnection {
    guard let local = try await local(spec) else {
      throw KernelProviderError.refused("there is no kernel '\(spec.name)' on this machine any more")
    }
    let identifier = RandomIdentifier.make()
    return try await starts.withPermit(for: Self.longestStart) {
      try await self.start(local, identifier, in: directory, environment: environment, isolation: isolation)
    }
  }

  private func start(
    _ local: LocalKernelSpec, _ identifier: String, in directory: String?, environment: [String: String],
    isolation: KernelIsolation
  ) async throws -> KernelConnection {
    if isClosed { throw Self.closed }
    do {
      let kernel = try await launch(
        local, identifier, in: directory, environment: environment, isolation: isolation)
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
          local, identifier, in: directory, environment: environment, isolation: isolation, after: error)
      }
      // The directory may have been removed since the kernel was first requested.
      if let directory, await Self.isMissing(directory) { throw KernelProviderError.noDirectory(directory) }
      throw Self.hostError(for: error)
    }
  }

  /// Starts a kernel with ports after it did not start with Unix sockets. If that works, its kernelspec always gets ports.
  private func startWithPorts(
    _ local: LocalKernelSpec, _ identifier: String, in directory: String?, environment: [String: String],
    isolation: KernelIsolation, after failure: any Error
  ) async throws -> KernelConnection {
    needPorts.insert(local.spec.name)
    do {
      let connection = try await start(
        local, identifier, in: directory, environment: environment, isolation: isolation)
      logger.info(
        "the kernel takes no Unix sockets, it gets ports",
        metadata: ["kernel": "\(local.spec.name)", "reason": "\(failure)"])
      return connection
    } catch {
      // The kernel starts with neither, so the sockets are not the reason.
      needPorts.remove(local.spec.name)
      throw error
    }
  }

  /// See `KernelProvider`.
  public func obstacle(to isolation: KernelIsolation, for spec: KernelSpec) async -> String? {
    // One that is not there any more does not start either.
    guard let local = try? await local(spec) else { return nil }
    return IsolationSupport.ofThisSystem.obstacle(to: isolation, for: local)
  }

  /// Connects again, if the process lives.
  public func reconnect(_ identifier: String) async throws -> any KernelChannel {
    guard let kernel = kernels[identifier] else { throw KernelProviderError.kernelIsGone }
    do { return try await kernel.connect(within: LocalKernel.reconnectLimit) } catch {
      throw Self.hostError(for: error)
    }
  }

  /// Interrupts the code that the kernel runs, by the kernelspec's `interrupt_mode`.
  public func interrupt(_ identifier: String) async throws {
    guard let kernel = kernels[identifier] else { throw KernelProviderError.kernelIsGone }
    do {
      try await kernel.interrupt()
    } catch is DeadlineExceeded {
      throw KernelProviderError.unavailable("the kernel does not answer a request to interrupt its code")
    }
  }

  /// What the kernel uses.
  public func usage(of identifier: String) async -> ProcessUsage? { await kernels[identifier]?.usage() }

  /// Limits what the kernel and its children may use.
  public func limit(_ identifier: String, to limits: ResourceLimits, in directory: String) async throws {
    let groups = try await shared().controlGroups
    try await kernels[identifier]?.limit(to: limits, in: directory, groups: groups, watch: resourceWatch)
  }

  /// How that is done.
  public func limitMethods(of identifier: String) -> [LimitMethod] { kernels[identifier]?.limitMethods ?? [] }

  /// Kills what the kernel has started.
  public func endChildren(_ identifier: String) async -> Bool {
    await kernels[identifier]?.endChildren() ?? false
  }

  /// Shuts down the kernel and everything it started. A kernel that does not end by itself is killed.
  public func shutDown(_ identifier: String, isBusy: Bool) async {
    await end(identifier) { await $0.shutDown(isBusy: isBusy) }
  }

  /// Kills the kernel and everything it started, without a shutdown request. For a kernel that is replaced and has no more
  /// output to send. This takes about ten milliseconds, a shutdown ten times as long.
  public func kill(_ identifier: String) async { await end(identifier) { await $0.kill() } }

  /// True while the kernel's process lives and the packages are those from its start.
  func isFresh(_ identifier: String) -> Bool { kernels[identifier]?.isFresh ?? false }

  private func end(_ identifier: String, _ ending: @escaping @LoopActor (LocalKernel) async -> Void) async {
    if let kernel = kernels.removeValue(forKey: identifier) {
      // In a task of its own, as the kernel must end even if the waiting task is cancelled.
      endings[identifier] = LoopActor.task {
        await ending(kernel)
        self.endings[identifier] = nil
      }
    }
    await endings[identifier]?.value
  }

  /// Ends all kernels and removes what was made for them.
  public func close() async {
    isClosed = true
    // Kernels in use were shut down before. These are warm, or still starting.
    for kernel in Array(kernels.keys) { LoopActor.task { await self.kill(kernel) } }
    while let kernel = kernels.keys.first ?? endings.keys.first { await kill(kernel) }
    await resourceWatch.close()
    guard let sharedRuntime = try? await sharedRuntime?.value else { return }
    for launcher in sharedRuntime.launchers { await launcher.close() }
    await sharedRuntime.zeroMQ?.close()
    sharedRuntime.subreaper.close()
    await sharedRuntime.reaper.finish()
  }

  /// Waits until a kernel's process is gone, for whatever reason.
  func untilGone(_ identifier: String) async { await kernels[identifier]?.untilGone() }

  /// Waits until the launchers are ready to start kernels as fast as they can.
  ///
  /// - Throws: `CancellationError`, and what `start` would throw.
  func untilPrepared() async throws {
    for launcher in try await shared().launchers { try await launcher.untilPrepared() }
  }

  /// Waits until the launchers are ready, then tells whether they can start a better kernel; see `KernelProvider`.
  public func canUpgrade(_ identifier: String) async throws -> Bool {
    try await untilPrepared()
    return try await kernels[identifier]?.canUpgrade(with: shared().launchers) ?? false
  }

  private func launch(
    _ spec: LocalKernelSpec, _ identifier: String, in directory: String?, environment: [String: String],
    isolation: KernelIsolation
  ) async throws -> LocalKernel {
    let sharedRuntime = try await shared()
    let own = try sharedRuntime.directory.makeKernelDirectory()
    let mark = "\(LocalKernel.markName)=\(mark)/\(identifier)"
    let variables = variables(in: sharedRuntime.directory, for: identifier).merging(environment) { $1 }
    let spawnSpec = SpawnSpec(
      spec: spec, connectionFile: own.connectionFile, log: own.log,
      directory: directory ?? own.path,
      environment: variables, hasOwnVariables: !environment.isEmpty,
      isolation: isolation.isAny
        ? IsolationPolicy(
          isolation: isolation, directory: own.path, workingDirectory: directory,
          readable: sharedRuntime.directory.readable + [spec.resourceDirectory]) : nil)
    let (connection, ports) = try sockets(of: spec, own.socketPrefix)
    let plan = LocalKernel.Plan(
      spec: spec, connection: connection, maker: maker(for: spec, sharedRuntime.zeroMQ), limits: limits,
      ports: ports, directory: own, spawnSpec: spawnSpec, tag: tags.next(), mark: mark,
      packages: sharedRuntime.packages.snapshot)
    return try await LocalKernel.start(
      plan, by: sharedRuntime.launchers, logger: logger
    ) {
      await self.explain($0, sharedRuntime.oomKills)
    }
  }

  /// A kernel's environment, without the variables of its request and of its kernelspec.
  private func variables(in directory: RunDirectory, for identifier: String) -> [String: String] {
    var variables = directory.environment.merging(environment) { $1 }
    variables[LocalKernel.markName] = "\(mark)/\(identifier)"
    return variables
  }

  /// Chooses where the kernel listens.
  private func sockets(of spec: LocalKernelSpec, _ prefix: String) throws -> (ConnectionInfo, [ReservedPort])
  {
    if spec.sockets == .unix || (spec.sockets == .unixElsePorts && !needPorts.contains(spec.spec.name)) {
      return (ConnectionInfo(.local(pathPrefix: prefix)), [])
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
      // First, as this process may have to move, and what it has started would stay.
      let controlGroups = try await Pending { [controlGroups] in controlGroups.prepared() }.value()
      let reaper = try Reaper(
        mark: "\(LocalKernel.markName)=\(mark)/", tags: tags, directory: directory.path,
        groups: controlGroups.ownPrefixes)
      await directory.prepare(prefix: python.prefix)
      let oomKills = await OOMKillCounter.find()
      memoryKills = await oomKills.count()
      let subreaper = try Subreaper()
      let packages = await InstalledPackages(of: python.prefix)
      return SharedRuntime(
        directory: directory, reaper: reaper, oomKills: oomKills, controlGroups: controlGroups,
        subreaper: subreaper,
        packages: packages,
        launchers: await makeLaunchers(directory, subreaper, packages),
        // libzmq's threads start now, before kernels can use up what they need.
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
      logger.info("this installation has no fork server: each kernel is started as a process of its own")
      return [spawning]
    }
    // Forked kernels overwrite this placeholder with their own identifier, which must have the same length.
    let placeholder = "00000000-0000-0000-0000-000000000000"
    let forking = ForkLauncher(
      for: spec, python, packages, preload: preload, environment: variables(in: directory, for: placeholder),
      subreaper: subreaper, logger: logger)
    return [forking, spawning]
  }

  /// Describes how a kernel died. A kill by the OOM killer looks like any other SIGKILL; only the count of OOM kills tells
  /// them apart.
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
