import Jupyter
import Logging
import Loop

/// One kernel with its own memory, under an identifier that outlives it: a kernel that dies is replaced.
@LoopActor
final class Context {
  /// How often, and how long apart, a lost kernel's provider is asked for another: as long as a Jupyter Server needs to be
  /// started again.
  private static let startAttempts = 20
  private static let startPause: Duration = .milliseconds(500)
  /// How often a provider is looked for that did not come back in that time.
  private static let awayRetryInterval: Duration = .seconds(5)

  /// What clients call it.
  nonisolated let identifier: String
  /// The language as it was asked for, canonical.
  nonisolated let language: String
  /// The kind of its kernel.
  nonisolated let spec: KernelSpec
  /// The working directory of its kernel, absolute.
  nonisolated let directory: String
  /// True for the one of its language that is made on first use.
  nonisolated let isDefault: Bool
  /// Held by the execution that uses the kernel.
  let mutex = AsyncMutex()
  /// That execution: it also gets what the kernel says to no request of ours.
  weak var current: ExecutionRun? { didSet { hasBeenUsed = true } }

  /// The directory was asked for: a kernel that cannot enter it is not wanted.
  private let isDirectoryAsked: Bool
  private let provider: any KernelProvider
  private let logger: Logger
  private var lifecycle = ContextLifecycle()
  /// The kernel that was called for last; nil until somebody wants one.
  private var kernel: Task<Kernel, any Error>?
  private var retries: Task<Void, Never>?
  /// True once an execution has had the mutex.
  private var hasBeenUsed = false

  /// Starts no kernel yet.
  init(
    identifier: String = RandomIdentifier.make(), language: String, spec: KernelSpec, directory: String,
    isDirectoryAsked: Bool, isDefault: Bool, provider: any KernelProvider, logger: Logger
  ) {
    self.identifier = identifier
    self.language = language
    self.spec = spec
    self.directory = directory
    self.isDirectoryAsked = isDirectoryAsked
    self.isDefault = isDefault
    self.provider = provider
    var logger = logger
    logger[metadataKey: "context"] = "\(identifier)"
    self.logger = logger
  }

  /// True once a kernel has been called for: only then the context is more than a name.
  var hasBegun: Bool { lifecycle.hasBegun }
  /// True while the kernel takes code.
  var isReady: Bool { lifecycle.isReady }
  /// True while the kernel's provider does not answer.
  var isAway: Bool { lifecycle.isAway }

  /// Starts a kernel, unless that was done before; `ready` waits for it.
  func begin() { perform(lifecycle.begin()) }

  /// The kernel, as soon as it takes code. A start that failed is tried again.
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
          // Only the first of those that waited tries again; the others wait for its try.
          if kernel == provision { perform(lifecycle.startAgain()) }
        }
      }
    }
    throw CancellationError()
  }

  /// Replaces the kernel; what runs ends with `KernelRestarted`.
  ///
  /// - Parameter failure: why it has to be; nil if a client has asked for it, who need not be told.
  /// - Throws: `KernelProviderError`; `KernelEnd` when the context is deleted.
  func restart(after failure: String? = nil) async throws {
    perform(try lifecycle.restart(after: failure))
    _ = try await ready()
  }

  /// Takes the reason why the memory is gone; see `ContextLifecycle`.
  func takeLoss() -> String? { lifecycle.takeLoss() }

  /// The kernel has been asked to end, by its own code: its end is known before it comes.
  func endIsNear(of kernel: Kernel, because reason: String) {
    lifecycle.expectEnd(of: ObjectIdentifier(kernel), because: reason)
  }

  /// Puts a better kernel in the place of one that nobody has used yet, if the provider makes better ones by now, such as
  /// with modules preloaded. Nobody has to wait for that.
  func upgrade() async throws {
    guard let provision = kernel else { return }
    let first = try await provision.value
    guard try await first.canUpgrade(), isUnused(provision) else { return }
    let better = try await start()
    guard isUnused(provision) else { return await better.kill(because: .shutDown("it is not wanted")) }
    first.onEnd = nil
    kernel = LoopActor.task { better }
    adopt(better)
    await first.kill(because: .shutDown("a better one has taken its place"))
  }

  /// Ends the kernel and everything that waits for it; clients are told the reason.
  func delete(because reason: String) async {
    let end = KernelEnd.shutDown(reason)
    // Nobody knows when a provider that is away will answer.
    if isAway { kernel?.cancel() }
    lifecycle.delete(because: end)
    mutex.close(end)
    retries?.cancel()
    await retries?.value
    await (try? kernel?.value)?.shutDown(because: end)
  }

  // MARK: Its kernels

  /// Thrown to those that wait for a kernel which is not wanted any more: they wait for the later one.
  private struct Superseded: Error {}

  private func perform(_ action: ContextLifecycle.Action?, on lost: Kernel? = nil) {
    guard let action else { return }
    let previous = kernel
    let call = lifecycle.call
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
          self.lifecycle.kernelNotRecovered(call)
          kernel = try await self.replace(lost, because: end)
        }
      }
      guard self.lifecycle.kernelReady(call) else {
        await kernel.kill(because: .shutDown("another has taken its place"))
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
    let kernel = try await Kernel.start(spec, on: provider, in: directory, environment: [:], logger: logger)
    do {
      if let deletion = lifecycle.deletion { throw deletion }
      if !provider.startsInDirectory { try await enterDirectory(kernel) }
      return kernel
    } catch {
      await kernel.kill(because: .shutDown("it is not wanted"))
      throw error
    }
  }

  private func enterDirectory(_ kernel: Kernel) async throws {
    do {
      try await kernel.changeDirectory(to: directory)
    } catch let failure as SilentCodeFailure where !isDirectoryAsked {
      logger.info("the kernel stays where its provider starts it", metadata: ["reason": "\(failure)"])
    }
  }

  private func adopt(_ kernel: Kernel) {
    kernel.onEnd = { [weak self, weak kernel] end in
      if let self, let kernel { self.kernelEnded(kernel, end) }
    }
    kernel.onOverflow = { [weak self] in self?.current?.interrupt() }
    kernel.onLoss = { [weak self] loss in await self?.current?.receive(loss) }
    kernel.onUnsolicited = { [weak self] message in await self?.current?.receiveUnsolicited(message) }
    // It may have died between its first answer and now.
    if let end = kernel.end { kernelEnded(kernel, end) }
  }

  private func kernelEnded(_ kernel: Kernel, _ end: KernelEnd) {
    guard lifecycle.deletion == nil else { return }
    logger.warning("kernel lost", metadata: ["reason": "\(end.explanation)"])
    // While it is connected to again, another end is no news.
    kernel.onEnd = nil
    perform(lifecycle.kernelEnded(ObjectIdentifier(kernel), end), on: kernel)
    if isAway { retryUntilBack() }
  }

  private func restart(_ previous: Task<Kernel, any Error>?) async throws -> Kernel {
    guard let lost = try? await previous?.value else { return try await start() }
    return try await exchange(lost, because: .restarted) { try await self.start() }
  }

  private func replace(_ lost: Kernel?, because end: KernelEnd) async throws -> Kernel {
    guard let lost else { return try await startPersistently() }
    return try await exchange(lost, because: end) { try await self.startPersistently() }
  }

  /// Ends a kernel whose state is not needed any more, and starts another, at the same time if the provider can do that. What
  /// the old one had started is gone when the new one is there.
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

  /// Starts a kernel in the place of a lost one, also if the provider is away for a moment.
  private func startPersistently() async throws -> Kernel {
    for _ in 1..<Self.startAttempts {
      if let deletion = lifecycle.deletion { throw deletion }
      do {
        return try await start()
      } catch KernelProviderError.unavailable(let reason) {
        logger.info("the kernel's provider is away", metadata: ["reason": "\(reason)"])
        try await EventLoop.sleep(for: Self.startPause)
      }
    }
    return try await start()
  }

  /// Looks for a provider that is away until it is back, also when nobody runs anything: a client that asks for our health
  /// may send nothing before we are well.
  private func retryUntilBack() {
    guard retries == nil else { return }
    retries = LoopActor.task {
      while self.isAway {
        do { try await EventLoop.sleep(for: Self.awayRetryInterval) } catch { break }
        if self.isAway { _ = try? await self.ready() }
      }
      self.retries = nil
    }
  }

  /// Connects to a kernel again that may have outlived its channel. What still runs in it belongs to nobody.
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
