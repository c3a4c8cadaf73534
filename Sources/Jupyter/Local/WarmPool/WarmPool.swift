public import Logging
public import Loop
import Bytes
import Wire

/// Keeps kernels of the default kind ready, so that whoever wants one need not wait for its start.
///
/// They are started in the directory that most contexts have, with nobody's variables, and have run one piece of code
/// of ours without a trace. To one who wants another directory they are moved; one who wants variables gets a fresh
/// kernel. While kernels are wanted faster than they start, those that are starting are given out too, as they will be
/// ready sooner than others.
@LoopActor
public final class WarmPool: KernelProvider {
  /// The language whose kernels are kept.
  private static let language = "python"
  /// Between taking a kernel and starting the next: the code that a new context is for runs first.
  private static let pause: Duration = .milliseconds(200)
  /// After a kernel that did not start, or died while it waited.
  private static let pauseAfterFailure: Duration = .seconds(2)

  private let provider: LocalKernelProvider
  private let size: Int
  private let directory: String
  private let logger: Logger
  private var spec: KernelSpec?
  private var waiting: [Entry] = []
  private var refilling: Task<Void, Never>?
  private var isClosed = false

  /// A kernel that waits, or will when it has started.
  private final class Entry {
    let start: Task<WarmKernel, any Error>
    var isReady = false
    init(_ start: Task<WarmKernel, any Error>) { self.start = start }
  }

  /// True when as many kernels are ready as are to be.
  var isFull: Bool { waiting.count(where: \.isReady) >= size }

  /// - Parameters:
  ///   - provider: where the kernels come from; closed with the pool.
  ///   - size: how many kernels wait; 0 for none.
  ///   - directory: where they are started, absolute.
  public init(_ provider: LocalKernelProvider, size: Int, directory: String, logger: Logger) {
    self.provider = provider
    self.size = size
    self.directory = directory
    self.logger = logger
  }

  /// See `KernelProvider`.
  public var sharesFileSystem: Bool { provider.sharesFileSystem }
  /// See `KernelProvider`.
  public var startsInDirectory: Bool { provider.startsInDirectory }
  /// See `KernelProvider`.
  public var overlapsKernels: Bool { provider.overlapsKernels }

  /// What is installed.
  public func specs(maximumAge: Duration) async throws -> [KernelSpec] {
    try await provider.specs(maximumAge: maximumAge)
  }

  /// Takes a kernel that waits, where one would do; else starts one.
  public func start(
    _ spec: KernelSpec, in directory: String, environment: [String: String]
  ) async throws -> KernelConnection {
    guard spec.language == Self.language, environment.isEmpty, spec == self.spec ?? spec else {
      return try await provider.start(spec, in: directory, environment: environment)
    }
    self.spec = spec
    defer { refill() }
    if let kernel = await take(for: directory) { return kernel }
    return try await provider.start(spec, in: directory, environment: environment)
  }

  /// Connects again.
  public func reconnect(_ identifier: String) async throws -> any KernelChannel {
    try await provider.reconnect(identifier)
  }

  /// Interrupts what the kernel runs.
  public func interrupt(_ identifier: String) async throws { try await provider.interrupt(identifier) }

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

  /// Ends all kernels, those that wait too.
  public func close() async {
    isClosed = true
    refilling?.cancel()
    await provider.close()
    await refilling?.value
  }

  private func take(for directory: String) async -> KernelConnection? {
    while !waiting.isEmpty {
      guard let kernel = try? await waiting.removeFirst().start.value else { continue }
      // It may have died without anybody having had the time to replace it, or have loaded what is not there any more.
      guard provider.isFresh(kernel.connection.identifier) else {
        LoopActor.task { await self.provider.kill(kernel.connection.identifier) }
        continue
      }
      do {
        if !directory.hasSameBytes(as: self.directory) { try await kernel.move(to: directory) }
        return kernel.taken
      } catch {
        logger.info("a waiting kernel would not do", metadata: ["reason": "\(error)"])
        await provider.kill(kernel.connection.identifier)
      }
    }
    return nil
  }

  /// Fills the pool in the background, one kernel after the other.
  private func refill(after pause: Duration = pause) {
    guard refilling == nil, !isClosed, waiting.count < size else { return }
    refilling = LoopActor.task {
      try? await EventLoop.sleep(for: pause)
      // A kernel that waits had better be one that has everything loaded.
      try? await self.provider.untilPrepared()
      while !self.isClosed, self.waiting.count < self.size {
        if await !self.add() { try? await EventLoop.sleep(for: Self.pauseAfterFailure) }
      }
      self.refilling = nil
    }
  }

  /// False where the kernel did not start.
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

  private func makeKernel(_ spec: KernelSpec) async throws -> WarmKernel {
    let connection = try await provider.start(spec, in: directory, environment: [:])
    do {
      return try await WarmKernel(connection)
    } catch {
      await provider.kill(connection.identifier)
      throw error
    }
  }

  /// Replaces a kernel that dies while it waits.
  private func watch(_ kernel: WarmKernel, _ entry: Entry) async {
    await provider.untilGone(kernel.connection.identifier)
    guard waiting.contains(where: { $0 === entry }), !isClosed else { return }
    logger.warning("a waiting kernel died")
    waiting.removeAll { $0 === entry }
    await provider.kill(kernel.connection.identifier)
    refill(after: Self.pauseAfterFailure)
  }
}
