import Logging
import Loop
import Bytes

/// Has kernels forked by a fork server, which it keeps running. While there is none that could, others make them.
@LoopActor
final class ForkLauncher: KernelLauncher {
  /// A fork server that has ended is started again after this, and after twice as long each time it ends before it could
  /// fork.
  static let pause: Duration = .seconds(1)
  private static let longestPause: Duration = .seconds(60)
  /// While the first fork server loads, one kernel is made by others, as somebody waits for the program to be up. The next
  /// ones are there sooner if they do not take the processors from it, unless it takes longer than it should.
  private static let loadingNanoseconds: UInt64 = 3_000_000_000

  private let spec: LocalKernelSpec
  private let python: PythonInstallation
  private let packages: InstalledPackages
  private let command: ForkServer.Command
  private let subreaper: Subreaper
  private let logger: Logger
  private let shortestPause: Duration
  private var server: ForkServer?
  /// The packages when the fork server began to load some of them.
  private var loaded: InstalledPackages.Snapshot?
  /// Whether the fork server can fork; not known while it loads, nor while another is about to be started.
  private var isPrepared = Promise<Bool>()
  private var keeping: Task<Void, Never>?
  private var isClosed = false
  private var hasLetPass = false
  private var loadingEnd: UInt64 = 0

  /// Starts a fork server in the background.
  ///
  /// - Parameters:
  ///   - spec: the kind of kernel that it forks.
  ///   - packages: where these come from: a fork server that has loaded others than there are now is started again.
  ///   - preload: the modules that it loads beforehand, where they are installed.
  ///   - environment: the variables of all kernels, the mark of our processes with them.
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

  func canUpgrade(to order: SpawnSpec, than process: any KernelProcess) -> Bool {
    process is SpawnedKernel && canFork(order)
  }

  private func canFork(_ order: SpawnSpec) -> Bool {
    order.spec == spec && !order.hasOwnVariables && server?.canFork == true
  }

  /// Forks a kernel that is as all others are. Variables of its own may be meant for what is loaded already.
  func launch(_ order: SpawnSpec) async throws -> (any KernelProcess)? {
    if order.spec == spec { try await awaitLoading() }
    guard let server, canFork(order) else { return nil }
    guard loaded?.isCurrent == true else {
      logger.info("packages have changed: the fork server is started again")
      server.kill()
      return nil
    }
    let plan = LaunchPlan(
      spec, connectionFile: order.connectionFile, python: python, environment: order.environment)
    let request = ForkRequest(
      arguments: plan.arguments.dropFirst(2).map { $0 }, directory: order.directory,
      environment: plan.environment, log: order.log)
    let log = try SocketStream.makeFIFO(order.log)
    if let child = await server.fork(request) { return ForkedProcess(child, log: log, logger: logger) }
    await log.close()
    return nil
  }

  private func awaitLoading() async throws {
    defer { hasLetPass = true }
    let now = EventLoop.now
    guard isPrepared.value == nil, hasLetPass, now < loadingEnd else { return }
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

  /// Runs a fork server to its end; true where it could fork.
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
      // The next one should do as well as this one has.
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
  /// Where our package, whose kernel this is, has its modules; nil where it is another's, or is not started as ours is.
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

  /// True where kernels of this kind can be forked; false where our package is too old for that, nil where it is not
  /// ours.
  var isForkable: Bool? { package.map { SmallFile.exists("\($0)/fork_server.py") } }
}
