import Logging
import Loop
import Bytes

/// Starts kernels through a fork server, and keeps it running. While no fork server is ready, other launchers start
/// kernels.
@LoopActor
final class ForkLauncher: KernelLauncher {
  /// The pause before a fork server that has ended is started again. It doubles each time a fork server ends before it could
  /// fork.
  static let pause: Duration = .seconds(1)
  private static let longestPause: Duration = .seconds(60)
  /// How long kernels wait while the first fork server loads. The first kernel does not wait and is started by another
  /// launcher, as somebody waits for the program to be up. The next ones are ready sooner if they do not compete with the
  /// fork server for the processors, unless loading takes longer than this.
  private static let loadingNanoseconds: UInt64 = 3_000_000_000

  private let spec: LocalKernelSpec
  private let python: PythonInstallation
  private let packages: InstalledPackages
  private let command: ForkServer.Command
  private let subreaper: Subreaper
  private let logger: Logger
  private let shortestPause: Duration
  private var server: ForkServer?
  /// The packages when the fork server began to load.
  private var loaded: InstalledPackages.Snapshot?
  /// Whether the fork server can fork. Not known while it loads, nor while the next one is about to be started.
  private var isPrepared = Promise<Bool>()
  private var keeping: Task<Void, Never>?
  private var isClosed = false
  private var hasStartedFirst = false
  private var loadingEnd: UInt64 = 0

  /// Starts a fork server in the background.
  ///
  /// - Parameters:
  ///   - spec: the kernelspec of the kernels that it forks.
  ///   - packages: the installed packages. A fork server that has loaded other ones than there are now is restarted.
  ///   - preload: the modules that it imports before it forks, if they are installed.
  ///   - environment: the variables of all kernels, with the mark of our processes.
  init(
    for spec: LocalKernelSpec, _ python: PythonInstallation, _ packages: InstalledPackages, preload: [String],
    environment: [String: String], subreaper: Subreaper, pause: Duration = pause, logger: Logger
  ) {
    self.packages = packages
    shortestPause = pause
    self.spec = spec
    self.python = python
    self.subreaper = subreaper
    self.logger = logger
    let plan = LaunchPlan(spec, connectionFile: "", python: python, environment: environment)
    command = ForkServer.Command(
      executable: plan.executable,
      arguments: ["-m", "code_interpreter_kernel.fork_server", "--preload", preload.joined(separator: ",")],
      environment: plan.environment)
    keeping = LoopActor.task { await self.keep() }
  }

  func untilPrepared() async throws { _ = try await isPrepared.get() }

  func canUpgrade(to spawnSpec: SpawnSpec, than process: any KernelProcess) -> Bool {
    process is SpawnedKernel && canFork(spawnSpec)
  }

  private func canFork(_ spawnSpec: SpawnSpec) -> Bool {
    spawnSpec.spec == spec && !spawnSpec.hasOwnVariables && server?.canFork == true
  }

  /// Forks a kernel, unless it has variables of its own: they may be meant for modules that are loaded already.
  func launch(_ spawnSpec: SpawnSpec) async throws -> (any KernelProcess)? {
    if spawnSpec.spec == spec { try await awaitLoading() }
    guard let server, canFork(spawnSpec) else { return nil }
    guard loaded?.isCurrent == true else {
      logger.info("packages have changed: the fork server is started again")
      server.kill()
      return nil
    }
    let plan = LaunchPlan(
      spec, connectionFile: spawnSpec.connectionFile, python: python, environment: spawnSpec.environment)
    let request = ForkRequest(
      arguments: plan.arguments.dropFirst(2).map { $0 }, directory: spawnSpec.directory,
      environment: plan.environment, log: spawnSpec.log, isolation: spawnSpec.isolation)
    let log = try SocketStream.makeFIFO(spawnSpec.log)
    if let child = await server.fork(request) { return ForkedProcess(child, log: log, logger: logger) }
    await log.close()
    return nil
  }

  private func awaitLoading() async throws {
    defer { hasStartedFirst = true }
    let now = EventLoop.now
    guard isPrepared.value == nil, hasStartedFirst, now < loadingEnd else { return }
    do {
      try await withDeadline(.nanoseconds(loadingEnd - now)) { try await self.untilPrepared() }
    } catch is DeadlineExceeded {}
  }

  func close() async {
    isClosed = true
    isPrepared.fulfil(false)
    keeping?.cancel()
    server?.kill()
    await keeping?.value
  }

  private func keep() async {
    var pause = shortestPause
    loadingEnd = EventLoop.now + Self.loadingNanoseconds
    while !isClosed {
      if await serve() { pause = shortestPause }
      if isClosed { return }
      try? await EventLoop.sleep(for: pause)
      pause = min(pause * 2, Self.longestPause)
    }
  }

  /// Runs a fork server until it ends. Returns true if it could fork.
  private func serve() async -> Bool {
    do {
      let start = EventLoop.now
      loaded = packages.snapshot
      let server = try ForkServer(command, subreaper: subreaper, logger: logger)
      self.server = server
      let couldFork = await server.isPrepared.getRegardless()
      isPrepared.fulfil(couldFork)
      if couldFork {
        let duration = Duration.nanoseconds(EventLoop.now - start)
        logger.debug("the fork server is ready", metadata: ["after": "\(duration)"])
      }
      let how = await server.exit()
      if isClosed { return couldFork }
      // The next one should be able to fork too, so launchers wait for it.
      if couldFork { isPrepared = Promise() }
      logger.warning("the fork server ended; it is started again", metadata: ["reason": "\(how)"])
      return couldFork
    } catch {
      isPrepared.fulfil(false)
      logger.warning("the fork server cannot be started", metadata: ["reason": "\(error)"])
      return false
    }
  }
}

extension LocalKernelSpec {
  /// The directory of our package's modules, if this is its kernel; nil for another kernel, or one that another command
  /// starts.
  private var package: String? {
    let ours = ["-m", "code_interpreter_kernel.kernel", "-f", "{connection_file}"]
    let isOurs = arguments.dropFirst().elementsEqual(ours) { $0.hasSameBytes(as: $1) }
    let parts = resourceDirectory.split(separator: "/", omittingEmptySubsequences: false)
    guard isOurs, isPython, !arguments[0].utf8.contains(UInt8(ascii: "/")), environment.isEmpty,
      parts.count > 2
    else {
      return nil
    }
    return parts.dropLast(2).joined(separator: "/")
  }

  /// True if kernels of this kind can be forked; false if our package is too old for that; nil if the kernel is not ours.
  var isForkable: Bool? { package.map { SmallFile.exists("\($0)/fork_server.py") } }
}
