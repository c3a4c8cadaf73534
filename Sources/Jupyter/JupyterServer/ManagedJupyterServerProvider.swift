public import Logging
public import Loop

/// Kernels of a Jupyter Server that this process starts, restarts when it dies, and stops in the end.
@LoopActor
public final class ManagedJupyterServerProvider: KernelProvider {
  /// A server that ends sooner than this is restarted only when this time has passed.
  private static let leastLife: Duration = .seconds(2)

  /// See `KernelProvider`.
  public let sharesFileSystem = true
  /// See `KernelProvider`.
  public let startsInDirectory = true
  /// See `KernelProvider`.
  public let startsWithEnvironment = false
  /// See `KernelProvider`.
  public let overlapsKernels = false
  /// See `KernelProvider`.
  public let restartsKernels = true
  private let python: String
  private let environment: [String: String]
  private let limits: KernelLimits
  private let logger: Logger
  private var server: Task<(JupyterServerProcess, JupyterServerProvider), any Error>?
  private var directory: TemporaryDirectory?
  private var isClosed = false

  /// - Parameters:
  ///   - python: the interpreter that has Jupyter Server.
  ///   - environment: all variables of the server's process, which its kernels inherit.
  public init(
    python: String, environment: [String: String], limits: KernelLimits = KernelLimits(), logger: Logger
  ) {
    self.python = python
    self.environment = environment
    self.limits = limits
    self.logger = logger
  }

  /// The kernelspecs that the server has.
  public func specs(maximumAge: Duration) async throws -> [KernelSpec] {
    try await provider().specs(maximumAge: maximumAge)
  }

  /// Starts a kernel and connects to it.
  public func start(
    _ spec: KernelSpec, in directory: String, environment: [String: String], isolation: KernelIsolation
  ) async throws -> KernelConnection {
    try await provider().start(spec, in: directory, environment: environment, isolation: isolation)
  }

  /// Connects again, if the server still has the kernel.
  public func reconnect(_ identifier: String) async throws -> any KernelChannel {
    try await provider().reconnect(identifier)
  }

  /// Interrupts the code that the kernel runs.
  public func interrupt(_ identifier: String) async throws { try await provider().interrupt(identifier) }

  /// Ends the kernel.
  public func shutDown(_ identifier: String, isBusy: Bool) async {
    await (try? provider())?.shutDown(identifier, isBusy: isBusy)
  }

  /// Ends the kernel.
  public func kill(_ identifier: String) async { await (try? provider())?.kill(identifier) }

  /// Stops the server, which ends its kernels first.
  public func close() async {
    isClosed = true
    await (try? server?.value)?.0.stop()
    await directory?.remove()
  }

  /// The provider of the running server, as soon as that answers. If no server is running, it is started.
  private func provider() async throws -> JupyterServerProvider {
    if isClosed { throw KernelProviderError.unavailable("the server is shutting down") }
    if let server { return try await server.value.1 }
    let starting = LoopActor.task { try await self.start() }
    server = starting
    do {
      return try await starting.value.1
    } catch {
      if server == starting { server = nil }
      throw error
    }
  }

  private func start() async throws -> (JupyterServerProcess, JupyterServerProvider) {
    let directory = try self.directory ?? TemporaryDirectory(prefix: "code-interpreter-")
    self.directory = directory
    let process = try await JupyterServerProcess.start(
      python: python, environment: environment, directory: directory.path, logger: logger)
    LoopActor.task { await self.watch(process) }
    let provider = JupyterServerProvider(
      process.location, kernelEnvironment: [:], limits: limits, isOurs: true, logger: logger)
    return (process, provider)
  }

  private func watch(_ process: JupyterServerProcess) async {
    let started = EventLoop.now
    let status = await process.exit()
    guard !isClosed else { return }
    logger.error("the Jupyter server ended; it is started again", metadata: ["status": "\(status)"])
    let life = Duration.nanoseconds(EventLoop.now - started)
    server = LoopActor.task {
      if life < Self.leastLife { try await EventLoop.sleep(for: Self.leastLife - life) }
      return try await self.start()
    }
    if (try? await server?.value) == nil { server = nil }
  }
}
