public import Logging
public import Loop
import Bytes
import Wire

/// Keeps warm kernels of the default kernelspec, so that a new context does not wait for a start.
///
/// Warm kernels are started in the directory of most contexts, without a context's variables, and have run silent code once.
/// For a context with another directory, the kernel changes its directory. A context with variables gets a new kernel, and so does
/// one that is kept from other things than warm kernels are. If
/// kernels are taken faster than they start, starting ones are handed out too, as they will be ready sooner than new ones.
@LoopActor
public final class WarmPool: KernelProvider {
  /// The language of the warm kernels.
  private static let language = "python"
  /// The pause between taking a kernel and starting the next, so that the first code of the new context runs undisturbed.
  private static let pause: Duration = .milliseconds(200)
  /// The pause after a kernel that did not start, or died while it waited.
  private static let pauseAfterFailure: Duration = .seconds(2)

  private let provider: LocalKernelProvider
  private let size: Int
  private let directory: String
  private let isolation: KernelIsolation
  private let logger: Logger
  private var spec: KernelSpec?
  private var waiting: [Entry] = []
  private var refilling: Task<Void, Never>?
  private var isClosed = false

  /// A kernel that is warm or starting.
  private final class Entry {
    let start: Task<KernelConnection, any Error>
    var isReady = false
    init(_ start: Task<KernelConnection, any Error>) { self.start = start }
  }

  /// True if `size` kernels are warm.
  var isFull: Bool { waiting.count(where: \.isReady) >= size }

  /// - Parameters:
  ///   - provider: where the kernels come from; closed with the pool.
  ///   - size: how many kernels to keep warm; 0 for none.
  ///   - directory: where they are started, absolute.
  ///   - isolation: what they are kept from.
  public init(
    _ provider: LocalKernelProvider, size: Int, directory: String,
    isolation: KernelIsolation = KernelIsolation(), logger: Logger
  ) {
    self.provider = provider
    self.size = size
    self.directory = directory
    self.isolation = isolation
    self.logger = logger
  }

  /// See `KernelProvider`.
  public var sharesFileSystem: Bool { provider.sharesFileSystem }
  /// See `KernelProvider`.
  public var limitsKernels: Bool { provider.limitsKernels }
  /// See `KernelProvider`.
  public var startsInDirectory: Bool { provider.startsInDirectory }
  /// See `KernelProvider`.
  public var startsWithEnvironment: Bool { provider.startsWithEnvironment }
  /// See `KernelProvider`.
  public var overlapsKernels: Bool { provider.overlapsKernels }

  /// The installed kernelspecs.
  public func specs(maximumAge: Duration) async throws -> [KernelSpec] {
    try await provider.specs(maximumAge: maximumAge)
  }

  /// Takes a warm kernel if one fits, else starts one.
  public func start(
    _ spec: KernelSpec, in directory: String, environment: [String: String], isolation: KernelIsolation
  ) async throws -> KernelConnection {
    guard spec.language == Self.language, environment.isEmpty, spec == self.spec ?? spec,
      fits(isolation, directory)
    else {
      return try await provider.start(
        spec, in: directory, environment: environment, isolation: isolation)
    }
    self.spec = spec
    defer { refill() }
    if let kernel = await take(for: directory) { return kernel }
    return try await provider.start(spec, in: directory, environment: environment, isolation: isolation)
  }

  /// True if warm kernels may be used. An isolated one has given up all directories but its own.
  private func fits(_ isolation: KernelIsolation, _ directory: String) -> Bool {
    isolation == self.isolation
      && (!isolation.isIsolated || directory.hasSameBytes(as: self.directory))
  }

  /// See `KernelProvider`.
  public func obstacle(to isolation: KernelIsolation, for spec: KernelSpec) async -> String? {
    await provider.obstacle(to: isolation, for: spec)
  }

  /// Connects again.
  public func reconnect(_ identifier: String) async throws -> any KernelChannel {
    try await provider.reconnect(identifier)
  }

  /// Interrupts the code that the kernel runs.
  public func interrupt(_ identifier: String) async throws { try await provider.interrupt(identifier) }

  /// See `KernelProvider`.
  public func usage(of identifier: String) async -> ProcessUsage? { await provider.usage(of: identifier) }

  /// Limits what the kernel may use.
  public func limit(_ identifier: String, to limits: ResourceLimits, in directory: String) async throws {
    try await provider.limit(identifier, to: limits, in: directory)
  }

  /// How that is done.
  public func limitMethods(of identifier: String) -> [LimitMethod] { provider.limitMethods(of: identifier) }

  /// See `KernelProvider`.
  public func endChildren(_ identifier: String) async -> Bool { await provider.endChildren(identifier) }

  /// Ends the kernel.
  public func shutDown(_ identifier: String, isBusy: Bool) async {
    await provider.shutDown(identifier, isBusy: isBusy)
  }

  /// See `KernelProvider`.
  public func canUpgrade(_ identifier: String) async throws -> Bool {
    try await provider.canUpgrade(identifier)
  }

  /// Ends the kernel at once.
  public func kill(_ identifier: String) async { await provider.kill(identifier) }

  /// Ends all kernels, including warm ones.
  public func close() async {
    isClosed = true
    refilling?.cancel()
    await provider.close()
    await refilling?.value
  }

  private func take(for directory: String) async -> KernelConnection? {
    while !waiting.isEmpty {
      guard let kernel = try? await waiting.removeFirst().start.value else { continue }
      // It may have died a moment ago, or have loaded packages that have changed since.
      guard provider.isFresh(kernel.identifier) else {
        LoopActor.task { await self.provider.kill(kernel.identifier) }
        continue
      }
      do {
        if !directory.hasSameBytes(as: self.directory) { try await kernel.move(to: directory) }
        var taken = kernel
        taken.isWarm = true
        return taken
      } catch {
        logger.info("a warm kernel could not be used", metadata: ["reason": "\(error)"])
        await provider.kill(kernel.identifier)
      }
    }
    return nil
  }

  /// Fills the pool in the background, one kernel after the other.
  private func refill(after pause: Duration = pause) {
    guard refilling == nil, !isClosed, waiting.count < size else { return }
    refilling = LoopActor.task {
      try? await EventLoop.sleep(for: pause)
      // Warm kernels should have the modules preloaded, so wait until the fork server is ready.
      try? await self.provider.untilPrepared()
      while !self.isClosed, self.waiting.count < self.size {
        if await !self.add() { try? await EventLoop.sleep(for: Self.pauseAfterFailure) }
      }
      self.refilling = nil
    }
  }

  /// False if the kernel did not start.
  private func add() async -> Bool {
    guard let spec else { return false }
    let entry = Entry(LoopActor.task { try await self.makeKernel(spec) })
    waiting.append(entry)
    do {
      let kernel = try await entry.start.value
      entry.isReady = true
      LoopActor.task { await self.watch(kernel, entry) }
      return true
    } catch {
      waiting.removeAll { $0 === entry }
      if !isClosed { logger.warning("no warm kernel", metadata: ["reason": "\(error)"]) }
      return false
    }
  }

  private func makeKernel(_ spec: KernelSpec) async throws -> KernelConnection {
    let connection = try await provider.start(
      spec, in: directory, environment: [:], isolation: isolation)
    do {
      try await connection.warmUp()
      return connection
    } catch {
      await provider.kill(connection.identifier)
      throw error
    }
  }

  /// Replaces a kernel that dies while it waits.
  private func watch(_ kernel: KernelConnection, _ entry: Entry) async {
    await provider.untilGone(kernel.identifier)
    guard waiting.contains(where: { $0 === entry }), !isClosed else { return }
    logger.warning("a warm kernel died")
    waiting.removeAll { $0 === entry }
    await provider.kill(kernel.identifier)
    refill(after: Self.pauseAfterFailure)
  }
}
