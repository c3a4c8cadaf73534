import HTTPServer
public import ArgumentParser
import Jupyter
public import Logging
import Loop
import Server

/// `code-interpreter serve`.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serves the HTTP API.",
    discussion: """
      Every option has an environment variable: CODE_INTERPRETER_PORT for --port, CODE_INTERPRETER_MAX_BODY for \
      --max-body, CODE_INTERPRETER_NO_FORK_SERVER=true for --no-fork-server. Without --jupyter-url the server \
      starts and ends what runs the kernels. After SIGTERM or SIGINT, running executions may finish within --grace; a \
      second signal ends the server at once.
      """)

  @Option(
    help:
      "The address to listen on. Any other than loopback lets other machines reach the server: set a token then."
  )
  var host = "127.0.0.1"

  @Option(help: "The port to listen on; 0 for any free one.")
  var port: UInt16 = 49999

  @Option(help: "The directory of the file API, and the working directory of kernels.")
  var workspace = Self.defaultWorkspace

  private static let defaultWorkspace = "/home/user"

  @OptionGroup(title: "Access")
  var access: AccessOptions

  @OptionGroup(title: "TLS")
  var tls: TLSOptions

  @OptionGroup(title: "Clients")
  var connections: ConnectionOptions

  @OptionGroup(title: "Kernels")
  var kernels: KernelOptions

  @OptionGroup(title: "Executions")
  var executions: ExecutionArguments

  @Option(help: "How many contexts there may be at once.")
  var maxContexts = 64

  @Option(help: "For how many seconds a context may be unused before it is deleted (default: any time).")
  var idleTimeout: Double?

  @Option(help: "How many bytes a JSON request may have. Uploads are not limited.")
  var maxBody = 64 << 20

  @Option(
    help: """
      How many bytes of JSON requests may be in memory at once. Requests longer than 16 KiB count until they are \
      answered. Further ones are read when there is room, or answered 503 after 30 seconds. Uploads do not count.
      """)
  var maxBodyMemory = 512 << 20

  @Option(help: "How many seconds running executions get to finish when the server is told to stop.")
  var grace = 10.0

  @Option(help: "The lowest level that is logged: trace, debug, info, notice, warning, error or critical.")
  var logLevel = Logger.Level.info

  @Option(help: "The format of log lines, on standard error: text or json.")
  var logFormat = LogFormat.text

  func validate() throws {
    guard maxContexts > 0, maxBody > 0 else {
      throw ValidationError("--max-contexts and --max-body should be at least 1.")
    }
    guard maxBodyMemory >= maxBody else {
      throw ValidationError("--max-body-memory should be at least --max-body, so \(maxBody) bytes.")
    }
    guard idleTimeout ?? 1 > 0, idleTimeout ?? 1 <= 31_536_000 else {
      throw ValidationError("--idle-timeout should be a number of seconds beyond 0, at most 31536000.")
    }
    guard grace >= 0, grace <= 86_400 else {
      throw ValidationError("--grace should be from 0 to 86400 seconds.")
    }
  }

  func run() throws {
    let logger = logFormat.logger(level: logLevel)
    Handle.onForgottenHandle {
      logger.error("a handle was not closed, which is a bug", metadata: ["what": "\($0)"])
    }
    var options = connections.serverOptions(
      openFiles: ProcessLimits.raiseOpenFiles(), listeningHost: host, logger: logger)
    options.maximumBodyMemory = maxBodyMemory
    options.maximumCollectedBody = maxBody
    ProcessSecrets.keepInheritedDescriptors()
    if access.hasSecret || tls.tlsKey != nil || kernels.jupyterToken != nil { ProcessSecrets.hideMemory() }
    let policy = try access.policy(logger: logger)
    try kernels.checkIsolation(isOpen: policy.isOpen, logger: logger)
    let identity = try tls.identity(logger: logger)
    let status = EventLoop.shared.run { await serve(options, policy, identity, logger: logger) }
    if status != 0 { throw ExitCode(status) }
  }

  @LoopActor
  private func serve(
    _ options: HTTPServerOptions, _ policy: AccessPolicy, _ identity: TLSIdentity?, logger: Logger
  ) async -> Int32 {
    do {
      // Without a certificate there is nothing to read again: the terminal was closed.
      let signals = try SignalWatcher(
        identity == nil ? [.terminate, .interrupt, .hangUp] : [.terminate, .interrupt])
      defer { signals.close() }
      let renewals = try identity.map { try CertificateRenewal(of: $0, logger: logger) }
      defer { renewals?.close() }
      let service = try await openService(options, policy, identity, logger: logger)
      let listener = try await listen()
      announce(listener, policy, isSecure: identity != nil)
      await service.run(on: listener) {
        _ = try? await signals.next()
        LoopActor.task { await exitOnNext(signals) }
      }
      return 0
    } catch {
      logger.critical("cannot serve", metadata: ["reason": "\(error)"])
      return 1
    }
  }

  @LoopActor
  private func openService(
    _ options: HTTPServerOptions, _ policy: AccessPolicy, _ identity: TLSIdentity?, logger: Logger
  ) async throws -> Service {
    try makeDefaultWorkspace()
    let provider = try kernels.makeProvider(workspace: workspace.absolutePath, logger: logger)
    do {
      return try await Service(configuration(options, policy, identity), provider: provider, logger: logger)
    } catch let error as UVError {
      throw ValidationError("the workspace \(workspace) cannot be opened: \(error)")
    }
  }

  /// A workspace that was given on the command line must exist: its name may be mistyped.
  private func makeDefaultWorkspace() throws {
    guard workspace == Self.defaultWorkspace, !SmallFile.exists(workspace) else { return }
    do {
      try SmallFile.makeDirectory(workspace)
    } catch {
      throw ValidationError(
        "the workspace \(workspace) does not exist and cannot be made (--workspace names another): \(error)")
    }
  }

  @LoopActor
  private func listen() async throws -> Listener {
    do {
      return try await Listener.bind(
        host: host, port: port, peerTimeout: connections.peerTimeout)
    } catch {
      throw ValidationError("cannot listen on \(host), port \(port): \(error)")
    }
  }

  /// Exits at once on a second signal. Kernels die with this process.
  @LoopActor
  private func exitOnNext(_ signals: SignalWatcher) async {
    if (try? await signals.next()) != nil { Self.exit(withError: ExitCode(130)) }
  }

  private func configuration(
    _ options: HTTPServerOptions, _ policy: AccessPolicy, _ identity: TLSIdentity?
  ) -> ServiceConfiguration {
    ServiceConfiguration(
      workspace: workspace.absolutePath, maximumContexts: maxContexts, maximumBody: maxBody,
      grace: .seconds(grace), idleTimeout: idleTimeout.map { .seconds($0) }, access: policy,
      identity: identity, contextLimits: kernels.contextLimits, contextIsolation: kernels.contextIsolation,
      executions: executionOptions, http: options)
  }

  private var executionOptions: ExecutionOptions {
    var options = executions.options
    options.mostDetached = maxBodyMemory
    // Connections may have half of them; kernels need some, too.
    options.mostFiles = Int(clamping: max(ProcessLimits.openFiles / 4, 1))
    return options
  }

  @LoopActor
  private func announce(_ listener: Listener, _ policy: AccessPolicy, isSecure: Bool) {
    guard let address = listener.localAddress else { return }
    let url = "\(isSecure ? "https" : "http")://\(address)"
    let execute = "-H 'Content-Type: application/json' -d '{\"code\": \"1+1\"}'"
    let command =
      switch policy {
      case .open: "-N \(url)/execute \(execute)"
      case .token: "-N \(url)/execute -H 'Authorization: Bearer TOKEN' \(execute)"
      case .claim: "-X POST \(url)/claim"
      }
    StandardStream.output.write("Listening on \(url)\nTry: curl \(command)\n")
  }
}

/// The levels by the names that swift-log gives them.
extension Logger.Level: @retroactive ExpressibleByArgument {}
