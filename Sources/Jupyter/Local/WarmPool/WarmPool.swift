public import Logging
public import Loop
import Bytes
import Wire

/// Keeps warm kernels of the default kernelspec, so that a new context does not wait for a start.
///
/// Warm kernels are started in the directory of most contexts, without a context's variables, and have run silent code once.
/// For a context with another directory, the kernel changes its directory; one that is isolated has none until then. A context with
/// variables gets a new kernel. What kernels are kept from cannot be changed, so there are warm ones for each `KernelIsolation` that
/// a context has asked for. If kernels are taken faster than they start, starting ones are handed out too, as they will be ready
/// sooner than new ones.
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
  private let logger: Logger
  private var spec: KernelSpec?
  private var waiting: [KernelIsolation: [Entry]] = [:]
  private var refilling: Task<Void, Never>?
  private var isClosed = false

  /// A kernel that is warm or starting.
  private final class Entry {
    let start: Task<KernelConnection, any Error>
    var isReady = false
    init(_ start: Task<KernelConnection, any Error>) { self.start = start }
  }

  /// True if `size` kernels are warm, of each isolation that has been asked for.
  var isFull: Bool { waiting.values.allSatisfy { $0.count(where: \.isReady) >= size } && !waiting.isEmpty }

  /// - Parameters:
  ///   - provider: where the kernels come from; closed with the pool.
  ///   - size: how many kernels of each isolation to keep warm; 0 for none.
  ///   - directory: where those are started that are not isolated, absolute.
  public init(_ provider: LocalKernelProvider, size: Int, directory: String, logger: Logger) {
    self.provider = provider
    self.size = size
    self.directory = directory
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
      await canWarm(spec, isolation)
    else {
      return try await provider.start(
        spec, in: directory, environment: environment, isolation: isolation)
    }
    self.spec = spec
    defer { refill() }
    if let kernel = await take(isolation, for: directory) { return kernel }
    return try await provider.start(spec, in: directory, environment: environment, isolation: isolation)
  }

  private func canWarm(_ spec: KernelSpec, _ isolation: KernelIsolation) async -> Bool {
    if isolation.isIsolated { await provider.startsWithoutDirectory(spec) } else { true }
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

  private func take(_ isolation: KernelIsolation, for directory: String) async -> KernelConnection? {
    while let entry = takeEntry(isolation) {
      guard let kernel = try? await entry.start.value else { continue }
      // It may have died a moment ago, or have loaded packages that have changed since.
      guard provider.isFresh(kernel.identifier) else {
        LoopActor.task { await self.provider.kill(kernel.identifier) }
        continue
      }
      do {
        if isolation.isIsolated {
          try await kernel.enter(directory)
        } else if !directory.hasSameBytes(as: self.directory) {
          try await kernel.move(to: directory)
        }
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

  /// The one that has waited longest. There are warm ones of its isolation from now on.
  private func takeEntry(_ isolation: KernelIsolation) -> Entry? {
    var entries = waiting[isolation, default: []]
    defer { waiting[isolation] = entries }
    return entries.isEmpty ? nil : entries.removeFirst()
  }

  /// Fills the pool in the background, one kernel after the other.
  private func refill(after pause: Duration = pause) {
    guard refilling == nil, !isClosed, wanted != nil else { return }
    refilling = LoopActor.task {
      try? await EventLoop.sleep(for: pause)
      // Warm kernels should have the modules preloaded, so wait until the fork server is ready.
      try? await self.provider.untilPrepared()
      while !self.isClosed, let wanted = self.wanted {
        if await !self.add(wanted) { try? await EventLoop.sleep(for: Self.pauseAfterFailure) }
      }
      self.refilling = nil
    }
  }

  /// An isolation of which too few kernels are warm; any, so that one whose kernels do not start holds up no other.
  private var wanted: KernelIsolation? { waiting.filter { $0.value.count < size }.randomElement()?.key }

  /// False if the kernel did not start.
  private func add(_ isolation: KernelIsolation) async -> Bool {
    guard let spec else { return false }
    let entry = Entry(LoopActor.task { try await self.makeKernel(spec, isolation) })
    waiting[isolation, default: []].append(entry)
    do {
      let kernel = try await entry.start.value
      entry.isReady = true
      LoopActor.task { await self.watch(kernel, entry, isolation) }
      return true
    } catch {
      remove(entry, isolation)
      if !isClosed { logger.warning("no warm kernel", metadata: ["reason": "\(error)"]) }
      return false
    }
  }

  private func makeKernel(_ spec: KernelSpec, _ isolation: KernelIsolation) async throws -> KernelConnection {
    let connection =
      if isolation.isIsolated {
        try await provider.startWithoutDirectory(spec, isolation: isolation)
      } else {
        try await provider.start(spec, in: directory, environment: [:], isolation: isolation)
      }
    do {
      try await connection.warmUp()
      return connection
    } catch {
      await provider.kill(connection.identifier)
      throw error
    }
  }

  /// Replaces a kernel that dies while it waits.
  private func watch(_ kernel: KernelConnection, _ entry: Entry, _ isolation: KernelIsolation) async {
    await provider.untilGone(kernel.identifier)
    guard !isClosed, remove(entry, isolation) else { return }
    logger.warning("a warm kernel died")
    await provider.kill(kernel.identifier)
    refill(after: Self.pauseAfterFailure)
  }

  /// False if it does not wait any more.
  @discardableResult
  private func remove(_ entry: Entry, _ isolation: KernelIsolation) -> Bool {
    guard let index = waiting[isolation]?.firstIndex(where: { $0 === entry }) else { return false }
    waiting[isolation]?.remove(at: index)
    return true
  }
}
