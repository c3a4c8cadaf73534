import HTTPServer
import Jupyter
import Logging
import Loop

/// A kernel with its own memory, under an identifier that outlives it: a kernel that dies is replaced.
@LoopActor
final class Context {
  /// The attempts to replace a lost kernel and the pause between them: together as long as a Jupyter Server takes to
  /// restart.
  private static let startAttempts = 20
  private static let startPause: Duration = .milliseconds(500)
  /// The pause between further attempts while the provider does not answer.
  private static let reconnectInterval: Duration = .seconds(5)

  /// The identifier in the API.
  nonisolated let identifier: String
  /// The canonical name of the requested language.
  nonisolated let language: String
  /// The kind of its kernel.
  nonisolated let spec: KernelSpec
  /// The working directory of its kernel, absolute.
  nonisolated let directory: String
  /// True for the default context of its language.
  nonisolated let isDefault: Bool
  /// Held by the execution that uses the kernel.
  let mutex = AsyncMutex()
  /// The execution that holds the mutex. It also receives messages that belong to no pending request.
  weak var current: ExecutionRun? {
    didSet {
      hasBeenUsed = true
      touch()
    }
  }
  /// What its kernels may use.
  nonisolated let limits: ResourceLimits
  /// What its kernels are kept from.
  nonisolated let isolation: KernelIsolation
  /// When it was created.
  nonisolated let created = WallClock.now()
  /// When a client last used it, or an execution ended in it.
  private(set) var lastActive = WallClock.now()
  /// The same, by the clock of the loop.
  private(set) var lastActiveTime = EventLoop.now
  /// The number of the latest execution, as the kernel counts; nil before the first.
  var executionCount: Int64?
  /// How many kernels it has had beyond the first.
  private(set) var restartCount = 0

  /// True if a client has requested the directory. Then a kernel that cannot enter it is an error.
  private let isDirectoryRequested: Bool
  /// Environment variables of its kernels, for its life.
  private let environment: [String: String]
  private let provider: any KernelProvider
  private let logger: Logger
  private var lifecycle = ContextLifecycle()
  /// The latest kernel; nil until one is needed.
  private var kernel: Task<Kernel, any Error>?
  private var retries: Task<Void, Never>?
  /// The kernel that was ready last.
  private var latest: Kernel?
  /// True once an execution has had the mutex.
  private var hasBeenUsed = false

  /// Starts no kernel yet.
  init(
    identifier: String = RandomIdentifier.make(), language: String, spec: KernelSpec, directory: String,
    isDirectoryRequested: Bool, environment: [String: String] = [:],
    limits: ResourceLimits = ResourceLimits(), isolation: KernelIsolation = KernelIsolation(),
    isDefault: Bool, provider: any KernelProvider, logger: Logger
  ) {
    self.identifier = identifier
    self.language = language
    self.spec = spec
    self.directory = directory
    self.isDirectoryRequested = isDirectoryRequested
    self.environment = environment
    self.limits = limits
    self.isolation = isolation
    self.isDefault = isDefault
    self.provider = provider
    var logger = logger
    logger[metadataKey: "context"] = "\(identifier)"
    self.logger = logger
  }

  /// A client uses it now.
  func touch() {
    lastActive = WallClock.now()
    lastActiveTime = EventLoop.now
  }

  /// True while nothing runs in it and nothing waits.
  var isIdle: Bool { isReady && !mutex.isLocked }

  /// What its kernel and all that it has started use; nil if that is not known.
  func usage() async -> ProcessUsage? { isReady ? await latest?.usage() : nil }

  /// How the limits of its kernel are enforced; empty without limits.
  var limitMethods: [LimitMethod] { isReady ? latest?.limitMethods ?? [] : [] }

  /// Its state as clients see it.
  var state: String {
    if isDisconnected { return "away" }
    if !isReady { return "starting" }
    return mutex.isLocked ? "busy" : "idle"
  }

  /// True once a kernel was started. Before that, the context is only a name.
  var hasBegun: Bool { lifecycle.hasBegun }
  /// True while the kernel takes code.
  var isReady: Bool { lifecycle.isReady }
  /// True while the kernel's provider does not answer.
  var isDisconnected: Bool { lifecycle.isDisconnected }

  /// Starts the first kernel. Idempotent; `ready` waits for it.
  func begin() { perform(lifecycle.begin()) }

  /// The kernel, once it takes code. Tries a failed start once more.
  ///
  /// - Throws: `KernelProviderError`; `KernelEnd` when the context is deleted.
  func ready() async throws -> Kernel {
    if let deletion = lifecycle.deletion { throw deletion }
    begin()
    var hasFailed = false
    while let provision = kernel {
      do {
        return try await provision.value
      } catch {
        if let deletion = lifecycle.deletion { throw deletion }
        if !(error is Superseded) {
          if hasFailed { throw error }
          hasFailed = true
          // Only one of the waiting tasks restarts; the others wait for that attempt.
          if kernel == provision { perform(lifecycle.retryStart()) }
        }
      }
    }
    throw CancellationError()
  }

  /// Replaces the kernel; what runs ends with `KernelRestarted`.
  ///
  /// - Parameter failure: why it must be replaced; nil if a client has requested it. Only a failure is reported to the
  ///   next execution.
  /// - Throws: `KernelProviderError`; `KernelEnd` when the context is deleted.
  func restart(after failure: String? = nil) async throws {
    perform(try lifecycle.restart(after: failure))
    _ = try await ready()
  }

  /// Takes the reason why the memory is gone; see `ContextLifecycle`.
  func takeLoss() -> String? { lifecycle.takeLoss() }

  /// User code has asked the kernel to exit: its end is expected.
  func expectEnd(of kernel: Kernel, because reason: String) {
    lifecycle.expectEnd(of: ObjectIdentifier(kernel), because: reason)
  }

  /// Replaces a kernel that nobody has used yet if the provider can now start a better one, such as one with modules
  /// preloaded.
  func upgrade() async throws {
    guard let provision = kernel else { return }
    let first = try await provision.value
    guard try await first.canUpgrade(), isUnused(provision) else { return }
    let better = try await start()
    guard isUnused(provision) else { return await better.kill(because: .shutDown("it is not needed")) }
    first.onEnd = nil
    kernel = LoopActor.task { better }
    latest = nil
    adopt(better)
    await first.kill(because: .shutDown("a better one has replaced it"))
  }

  /// Ends the kernel and all waiting executions, whose clients get the reason.
  func delete(because reason: String) async {
    let end = KernelEnd.shutDown(reason)
    // The provider may take any time to answer.
    if isDisconnected { kernel?.cancel() }
    lifecycle.delete(because: end)
    mutex.close(end)
    retries?.cancel()
    await retries?.value
    await (try? kernel?.value)?.shutDown(because: end)
  }

  // MARK: Its kernels

  /// A later kernel has replaced this one while it was starting.
  private struct Superseded: Error {}

  private func perform(_ action: ContextLifecycle.Action?, on lost: Kernel? = nil) {
    guard let action else { return }
    let previous = kernel
    let startNumber = lifecycle.startNumber
    let wasRunning = current != nil
    kernel = LoopActor.task {
      let kernel: Kernel
      switch action {
      case .start: kernel = try await self.start()
      case .restart: kernel = try await self.restart(previous)
      case .replace(let end): kernel = try await self.replace(lost, because: end)
      case .reconnect(let end):
        if let lost, await self.recover(lost, interrupting: wasRunning) {
          kernel = lost
        } else {
          self.lifecycle.kernelNotRecovered(startNumber)
          kernel = try await self.replace(lost, because: end)
        }
      }
      guard self.lifecycle.kernelReady(startNumber) else {
        await kernel.kill(because: .shutDown("another one has replaced it"))
        throw Superseded()
      }
      self.adopt(kernel)
      return kernel
    }
  }

  private func isUnused(_ provision: Task<Kernel, any Error>) -> Bool {
    kernel == provision && isReady && !hasBeenUsed
  }

  private func start() async throws -> Kernel {
    let kernel = try await Kernel.start(
      spec, on: provider, in: directory, environment: environment, isolation: isolation, logger: logger)
    do {
      if let deletion = lifecycle.deletion { throw deletion }
      if limits.isAny { try await kernel.limit(to: limits, in: directory) }
      if !provider.startsInDirectory { try await enterDirectory(kernel) }
      if !provider.startsWithEnvironment, !environment.isEmpty { try await setEnvironment(in: kernel) }
      return kernel
    } catch {
      await kernel.kill(because: .shutDown("it is not needed"))
      throw error
    }
  }

  private func setEnvironment(in kernel: Kernel) async throws {
    let variables = environment.map { (name: $0.key, value: $0.value) }
    guard let code = LanguageSupport.of(spec.language).environmentCode(variables) else {
      throw HTTPErrorResponse(400, "`env_vars` cannot be set in a \(language) kernel of this server")
    }
    try await kernel.runSilently(code.set)
  }

  private func enterDirectory(_ kernel: Kernel) async throws {
    do {
      try await kernel.changeDirectory(to: directory)
    } catch let failure as SilentCodeFailure where !isDirectoryRequested {
      logger.info(
        "the kernel stays in the directory in which its provider starts it",
        metadata: ["reason": "\(failure)"])
    }
  }

  private func adopt(_ kernel: Kernel) {
    if latest !== kernel {
      if latest != nil { restartCount += 1 }
      latest = kernel
      executionCount = nil
    }
    kernel.onEnd = { [weak self, weak kernel] end in
      if let self, let kernel { self.kernelEnded(kernel, end) }
    }
    kernel.onOverflow = { [weak self] in self?.current?.interrupt() }
    kernel.onLoss = { [weak self] loss in await self?.current?.receive(loss) }
    kernel.onUnsolicited = { [weak self] message in await self?.current?.receiveUnsolicited(message) }
    // It may have died since its first reply.
    if let end = kernel.end { kernelEnded(kernel, end) }
  }

  private func kernelEnded(_ kernel: Kernel, _ end: KernelEnd) {
    guard lifecycle.deletion == nil else { return }
    logger.warning("kernel lost", metadata: ["reason": "\(end.explanation)"])
    // A further end is ignored while the kernel is reconnected.
    kernel.onEnd = nil
    perform(lifecycle.kernelEnded(ObjectIdentifier(kernel), end), on: kernel)
    if isDisconnected { retryUntilConnected() }
  }

  private func restart(_ previous: Task<Kernel, any Error>?) async throws -> Kernel {
    guard let lost = try? await previous?.value else { return try await start() }
    return try await exchange(lost, because: .restarted) { try await self.start() }
  }

  private func replace(_ lost: Kernel?, because end: KernelEnd) async throws -> Kernel {
    guard let lost else { return try await startWithRetries() }
    return try await exchange(lost, because: end) { try await self.startWithRetries() }
  }

  /// Ends a kernel and starts another one, at the same time if the provider supports that. All processes of the old
  /// one are gone on return.
  private func exchange(
    _ lost: Kernel, because reason: KernelEnd, for start: @escaping @LoopActor () async throws -> Kernel
  ) async throws -> Kernel {
    let ending = LoopActor.task { await lost.kill(because: reason) }
    if !provider.overlapsKernels { await ending.value }
    do {
      let kernel = try await start()
      await ending.value
      return kernel
    } catch {
      await ending.value
      throw error
    }
  }

  /// Starts a replacement, and retries while the provider does not answer.
  private func startWithRetries() async throws -> Kernel {
    for _ in 1..<Self.startAttempts {
      if let deletion = lifecycle.deletion { throw deletion }
      do {
        return try await start()
      } catch KernelProviderError.unavailable(let reason) {
        logger.info("the kernel's provider does not answer", metadata: ["reason": "\(reason)"])
        try await EventLoop.sleep(for: Self.startPause)
      }
    }
    return try await start()
  }

  /// Retries until the provider answers, even without requests: a client that waits for `/health` sends none.
  private func retryUntilConnected() {
    guard retries == nil else { return }
    retries = LoopActor.task {
      while self.isDisconnected {
        do { try await EventLoop.sleep(for: Self.reconnectInterval) } catch { break }
        if self.isDisconnected { _ = try? await self.ready() }
      }
      self.retries = nil
    }
  }

  /// Reconnects to a kernel that may have outlived its channel. The code that still runs in it is interrupted.
  private func recover(_ kernel: Kernel, interrupting: Bool) async -> Bool {
    do {
      if interrupting { try await kernel.interrupt() }
      try await kernel.reconnect()
      return true
    } catch {
      logger.info("the kernel did not outlive its connection", metadata: ["reason": "\(error)"])
      return false
    }
  }
}
