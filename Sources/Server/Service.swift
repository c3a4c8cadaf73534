import HTTPServer
public import Jupyter
public import Logging
public import Loop
import Bytes
import Wire
import Workspace

/// The whole server: contexts with kernels of a provider, the files of a workspace, and the routes to them.
@LoopActor
public final class Service {
  /// The time that interrupted code has to end at shutdown.
  private static let interruptGrace: Duration = .seconds(3)
  /// The time that clients have to read the end of their responses at shutdown.
  private static let drainLimit: Duration = .seconds(2)
  /// The pause before a default kernel that did not start is started again.
  private static let retryInterval: Duration = .seconds(1)

  let configuration: ServiceConfiguration
  let workspace: Directory
  private let provider: any KernelProvider
  let logger: Logger
  /// nil if everybody is served.
  let access: AccessControl?
  let contexts: ContextStore
  let executions: ExecutionStore

  /// - Parameter provider: where kernels come from; the service closes it when it stops.
  /// - Throws: `UVError` if the workspace cannot be opened as a directory.
  public init(_ configuration: ServiceConfiguration, provider: any KernelProvider, logger: Logger)
    async throws
  {
    self.workspace = try await Directory.open(configuration.workspace)
    self.configuration = configuration
    self.provider = provider
    self.logger = logger
    self.access = AccessControl(configuration.access, logger: logger)
    self.executions = ExecutionStore(configuration.executions, logger: logger)
    self.contexts = ContextStore(
      provider: provider, workspace: configuration.workspace, limit: configuration.maximumContexts,
      limits: configuration.contextLimits, isolation: configuration.contextIsolation,
      isOpen: access == nil, logger: logger)
  }

  /// Serves until `stop` returns, then drains: refuses new executions, and interrupts the running ones after the grace
  /// period.
  public func run(on listener: Listener, until stop: @LoopActor () async -> Void) async {
    let router = router()
    // Without one, requests do not even wait for a function that does nothing.
    let accessCheck = access.map { access -> HTTPServer.Handler in { try await access.check($0, $1) } }
    let server = HTTPServer(
      options: configuration.http, identity: configuration.identity, logger: logger,
      allowsAnyHost: { self.access?.asksForToken ?? false },
      before: accessCheck
    ) {
      try await router.handle($0, $1)
    }
    let serving = LoopActor.task { await server.serve(listener) }
    let warming = LoopActor.task { await self.warmUp() }
    let cleaning = configuration.idleTimeout.map { limit in
      LoopActor.task { await self.contexts.deleteIdle(after: limit) }
    }
    await stop()
    cleaning?.cancel()
    logger.info("draining", metadata: ["grace": "\(configuration.grace)"])
    await executions.drain(grace: configuration.grace, afterInterrupt: Self.interruptGrace)
    warming.cancel()
    await server.drain()
    // Code that ignored the interrupt ends here with its kernel, and its client gets the reason.
    await contexts.close()
    let drainDeadline = Deadline { serving.cancel() }
    drainDeadline.start(Self.drainLimit)
    await serving.value
    drainDeadline.close()
    await provider.close()
  }

  /// Starts the default kernel before the first request.
  private func warmUp() async {
    while !Task.isCancelled {
      do {
        let context = try await contexts.defaultContext(for: nil)
        await contexts.addListed()
        _ = try await context.ready()
        contexts.isWarm = true
        return await upgrade(context)
      } catch {
        logger.warning("the default kernel did not start", metadata: ["reason": "\(error)"])
        try? await EventLoop.sleep(for: Self.retryInterval)
      }
    }
  }

  private func upgrade(_ context: Context) async {
    do {
      try await context.upgrade()
    } catch {
      logger.info("the default kernel is not upgraded", metadata: ["reason": "\(error)"])
    }
  }
}
