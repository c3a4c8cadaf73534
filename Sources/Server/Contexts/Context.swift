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
  /// It is the one of its language that is made on first use.
  nonisolated let isDefault: Bool
  /// Held by the execution that may use the kernel.
  let mutex = AsyncMutex()
  /// The execution that holds the mutex, for messages that answer no request.
  weak var current: ExecutionRun? { didSet { hasBeenUsed = true } }

  /// The directory was asked for: a kernel that cannot be in it is of no use.
  private let isDirectoryAsked: Bool
  private let provider: any KernelProvider
  private let logger: Logger
  /// Nil until somebody wants one.
  private var kernel: Task<Kernel, any Error>?
  /// How many kernels were called for. One that is there when another has been called for since is not wanted.
  private var calls = 0
  private var retries: Task<Void, Never>?
  /// Why a kernel was replaced that nobody asked to replace; nil where the next execution need not be told.
  private var loss: String?
  /// The kernel that is about to end by itself, and why.
  private var ending: (kernel: ObjectIdentifier, reason: String)?
  /// Why there will be no kernel any more; nil while the context is there.
  private var deletion: KernelEnd?
  /// True while the kernel takes code.
  private(set) var isReady = false
  /// True while the kernel's provider does not answer.
  private(set) var isAway = false

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
  var hasBegun: Bool { kernel != nil }

  /// Starts a kernel, unless that was done before; `ready` waits for it.
  func begin() {
    if kernel == nil { provide { try await self.start() } }
  }

  /// The kernel, as soon as it takes code. A start that failed is tried again.
  ///
  /// - Throws: `KernelProviderError`; `KernelEnd` when the context is deleted.
  func ready() async throws -> Kernel {
    if let deletion { throw deletion }
    begin()
    var hasFailed = false
    while let provision = kernel {
      do {
        return try await provision.value
      } catch {
        if let deletion { throw deletion }
        if !(error is Superseded) {
          if hasFailed { throw error }
          hasFailed = true
          // Only the first of those that waited tries again; the others wait for its try.
          if kernel == provision { provide { try await self.start() } }
        }
      }
    }
    throw CancellationError()
  }

  /// What waits for a kernel is told when it is to wait for a later one.
  private struct Superseded: Error {}

  /// Replaces the kernel; what runs ends with `KernelRestarted`.
  ///
  /// - Parameter failure: why it has to be; nil where a client has asked for it, who need not be told.
  func restart(after failure: String? = nil) async throws {
    if let deletion { throw deletion }
    loss = failure
    let previous = kernel
    provide {
      guard let lost = try? await previous?.value else { return try await self.start() }
      return try await self.exchange(lost, because: .restarted) { try await self.start() }
    }
    _ = try await ready()
  }

  /// Takes the reason why the memory is gone, once the kernel is there that is without it: one execution tells it to its
  /// client.
  func takeLoss() -> String? {
    guard isReady, let reason = loss else { return nil }
    loss = nil
    return reason
  }

  /// The kernel has been asked to end, by its own code: its end is known before it comes.
  func endIsNear(of kernel: Kernel, because reason: String) { ending = (ObjectIdentifier(kernel), reason) }

  /// Puts a better kernel in the place of one that nobody has used yet, where the provider makes better ones by now: such as
  /// has loaded what takes time. Nobody has to wait for that.
  func upgrade() async throws {
    guard let provision = kernel else { return }
    let first = try await provision.value
    guard try await first.canUpgrade(), isUntouched(provision) else { return }
    let better = try await start()
    guard isUntouched(provision) else { return await better.kill(because: .shutDown("it is not wanted")) }
    first.onEnd = nil
    kernel = LoopActor.task { better }
    adopt(better)
    await first.kill(because: .shutDown("a better one has taken its place"))
  }

  private func isUntouched(_ provision: Task<Kernel, any Error>) -> Bool {
    kernel == provision && isReady && deletion == nil && !hasBeenUsed
  }

  /// Ends the kernel and everything that waits for it; clients are told the reason.
  func delete(because reason: String) async {
    let deletion = KernelEnd.shutDown(reason)
    self.deletion = deletion
    mutex.close(deletion)
    retries?.cancel()
    // Nobody knows when a provider that is away will answer.
    if isAway { kernel?.cancel() }
    await retries?.value
    await (try? kernel?.value)?.shutDown(because: deletion)
  }

  private func provide(_ operation: @escaping @LoopActor () async throws -> Kernel) {
    isReady = false
    calls += 1
    let call = calls
    kernel = LoopActor.task {
      let kernel = try await operation()
      guard call == self.calls else {
        await kernel.kill(because: .shutDown("another has taken its place"))
        throw Superseded()
      }
      self.adopt(kernel)
      return kernel
    }
  }

  private func start() async throws -> Kernel {
    let kernel = try await Kernel.start(spec, on: provider, in: directory, environment: [:], logger: logger)
    do {
      if let deletion { throw deletion }
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
    isReady = true
    isAway = false
    ending = nil
    kernel.onEnd = { [weak self, weak kernel] reason in
      guard let self, let kernel, self.deletion == nil else { return }
      self.replace(kernel, because: reason)
    }
    kernel.onOverflow = { [weak self] in self?.current?.interrupt() }
    kernel.onLoss = { [weak self] loss in await self?.current?.receive(loss) }
    kernel.onStray = { [weak self] message in await self?.current?.receiveStray(message) }
    // It may have died between its first answer and now.
    if let end = kernel.end, deletion == nil { replace(kernel, because: end) }
  }

  private func replace(_ lost: Kernel, because reason: KernelEnd) {
    logger.warning("kernel lost", metadata: ["reason": "\(reason.explanation)"])
    let wasRunning = current != nil
    let why = ending?.kernel == ObjectIdentifier(lost) ? ending?.reason : reason.explanation
    // Where another had been called for already, nobody wants to know how this one ended.
    let isUnasked = isReady
    let call = calls + 1
    // While it is being looked after, its end is no news.
    lost.onEnd = nil
    if case .connectionLost = reason { retryUntilBack() }
    provide {
      if case .connectionLost = reason, await self.recover(lost, interrupting: wasRunning) { return lost }
      if isUnasked, call == self.calls { self.loss = why }
      return try await self.exchange(lost, because: reason) { try await self.startPersistently() }
    }
  }

  /// Ends a kernel whose state nobody wants any more, and starts another, at the same time where that goes. What the old
  /// one had started is gone when the new one is there.
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

  /// Starts a kernel where there was one: a provider that is away for a moment is no reason to give the context up.
  private func startPersistently() async throws -> Kernel {
    for _ in 1..<Self.startAttempts {
      if let deletion { throw deletion }
      do {
        return try await start()
      } catch KernelProviderError.unavailable(let reason) {
        logger.info("the kernel's provider is away", metadata: ["reason": "\(reason)"])
        try await EventLoop.sleep(for: Self.startPause)
      }
    }
    return try await start()
  }

  /// Looks for a provider that is away until it is back, also when nobody wants to run anything: who asks whether we are well
  /// may send nothing before we are.
  private func retryUntilBack() {
    isAway = true
    guard retries == nil else { return }
    retries = LoopActor.task {
      while self.isAway, self.deletion == nil {
        do { try await EventLoop.sleep(for: Self.awayRetryInterval) } catch { break }
        if self.isAway { _ = try? await self.ready() }
      }
      self.retries = nil
    }
  }

  /// Connects to a kernel again that may have outlived its channel; what still runs in it belongs to nobody.
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
