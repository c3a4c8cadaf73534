public import ArgumentParser
public import Jupyter
import Logging
import Loop

/// The options for kernels.
struct KernelOptions: ParsableArguments {
  /// The default of --max-contexts. Each warm kernel is a process.
  private static let mostWarm = 64
  private static let defaultPreload = "numpy,pandas,matplotlib.pyplot"

  @Option(
    help: "The virtual environment whose Python runs the kernels (default: .venv, or python3 without one).")
  var pythonEnvironment: String?

  @Option(
    help: """
      What runs the kernels: local (this server itself, with the lowest latency) or jupyter (a Jupyter Server that it \
      starts). The default is local; with --jupyter-url, that server.
      """)
  var backend: Backend?

  @Option(
    help:
      "How many started Python kernels wait for new contexts and restarts, with --backend local (default: 1). As many of each isolation that contexts ask for."
  )
  var warm: Int?

  @Option(
    help: """
      Modules that Python kernels have already imported, if they are installed, separated by commas; "" for none. With \
      --backend local, they are loaded once and kernels are forked from there: imports take no time, and kernels share \
      the memory (default: \(defaultPreload)).
      """)
  var preload: String?

  @Flag(
    help: """
      Start each kernel as a process of its own instead of forking it, with --backend local. For modules that must \
      not be loaded before a fork. A new kernel then takes some tenths of a second longer.
      """)
  var noForkServer = false

  @Option(
    help: """
      Which implementation of ZeroMQ the server uses, with --backend local: library (libzmq), direct (its own, with lower \
      latency), or auto: direct for its own kernels, library for all others (default: auto).
      """)
  var zeromq: ZeroMQImplementation?

  @Option(
    help: """
      How many bytes of memory all processes of a context may use together, with --backend local, if its request does not say \
      (default: any number).
      """)
  var contextMemory: Int64?

  @Option(
    help: """
      How many processes a context may have, its kernel included, with --backend local, if its request does not say \
      (default: any number).
      """)
  var contextProcesses: Int?

  @Option(
    help: """
      How many bytes the files in the working directory of a context may take, and in its own one if it is isolated, with --backend \
      local (default: any number).
      """)
  var contextDisk: Int64?

  @Flag(
    inversion: .prefixedNo,
    help: """
      Whether control groups limit contexts, with --backend local, where this server may make some.
      """)
  var cgroups = true

  @Flag(
    help: """
      Keep contexts apart, with --backend local, if their requests do not say: code sees the system read-only, may write only its \
      working directory and one of its own, and can neither see, signal nor connect to other contexts or this server.
      """)
  var isolated = false

  @Flag(
    inversion: .prefixedNo,
    help: """
      Whether code may use the network, if the request for its context does not say. --no-network is for --backend local.
      """)
  var network = true

  @Option(help: "How many bytes one message of a kernel may have, such as a picture.")
  var maxMessage = KernelLimits().maximumMessage

  @Option(
    help: """
      How many bytes of output may wait in each context for a client that reads slowly, if the kernel cannot be made to \
      wait. Code that prints more is interrupted. With --jupyter-url, that server keeps what waits.
      """)
  var maxUnreadOutput = KernelLimits().unreadOutput

  @Option(help: "A Jupyter Server, Kernel Gateway or Enterprise Gateway to use: http://127.0.0.1:8888/base.")
  var jupyterUrl: String?

  @Option(help: "The token of that server. It may also be part of the URL.")
  var jupyterToken: String?

  @Option(help: "A file of certificates (PEM) to trust for an https URL, instead of the system's.")
  var jupyterCa: String?

  @Option(help: "KEY=VALUE in the environment of every kernel; may be repeated.")
  var kernelEnv: [String] = []

  func validate() throws {
    _ = try kernelEnvironment()
    guard maxMessage > 0, maxUnreadOutput > 0 else {
      throw ValidationError("--max-message and --max-unread-output should be at least 1.")
    }
    guard contextMemory ?? 1 > 0, contextProcesses ?? 1 > 0, contextDisk ?? 1 > 0 else {
      throw ValidationError(
        "--context-memory, --context-processes and --context-disk should be at least 1.")
    }
    guard (0...Self.mostWarm).contains(warm ?? 0) else {
      throw ValidationError("--warm should be from 0 to \(Self.mostWarm).")
    }
    try validateWhereKernelsRun()
    if backend == .local, jupyterUrl != nil {
      throw ValidationError(
        "--backend local runs the kernels here, --jupyter-url elsewhere: give one of them.")
    }
  }

  /// Those that are for kernels of this server alone, and whether they are given; without those whose defaults may be given anywhere.
  private var localOptions: [(String, Bool)] {
    [
      ("no-fork-server", noForkServer), ("zeromq", zeromq != nil), ("context-memory", contextMemory != nil),
      ("context-processes", contextProcesses != nil), ("context-disk", contextDisk != nil),
      ("no-cgroups", !cgroups), ("isolated", isolated),
      ("no-network", !network),
    ]
  }

  /// Refuses options that would have no effect.
  private func validateWhereKernelsRun() throws {
    let location: ServerLocation?
    do {
      location = try jupyterUrl.map { try ServerLocation(url: $0, token: nil) }
    } catch {
      throw ValidationError("--jupyter-url: \(error).")
    }
    if location != nil {
      for (option, isGiven) in [("warm", warm != nil), ("preload", preload != nil)] + localOptions
      where isGiven {
        throw Self.withoutEffect(
          option, "is for kernels that this server runs itself, and --jupyter-url has others run them")
      }
    } else {
      for (option, isGiven) in [("jupyter-token", jupyterToken != nil), ("jupyter-ca", jupyterCa != nil)]
      where isGiven {
        throw Self.withoutEffect(option, "is for the server of --jupyter-url, which is not given")
      }
    }
    if jupyterCa != nil, let location, !location.isSecure {
      throw Self.withoutEffect("jupyter-ca", "is for https, which this --jupyter-url is not")
    }
    if backend == .jupyter {
      // `--warm 0` and an empty `--preload` change nothing for --backend jupyter.
      for (option, isGiven) in [
        ("warm", warm ?? 0 > 0), ("preload", preload?.isEmpty == false),
      ] + localOptions where isGiven {
        throw Self.withoutEffect(option, "is for --backend local, and not for --backend jupyter")
      }
    }
    if noForkServer, preload?.isEmpty == false {
      throw Self.withoutEffect("preload", "is for kernels that are forked, and --no-fork-server has none")
    }
  }

  private static func withoutEffect(_ option: String, _ reason: String) -> ValidationError {
    ValidationError(
      "--\(option) \(reason): leave one out. (--\(option) may come from \(EnvironmentArguments.name(of: option)).)"
    )
  }

  /// Makes the provider of the kernels.
  ///
  /// - Parameter workspace: where warm kernels are started, absolute.
  @LoopActor
  func makeProvider(workspace: String, logger: Logger) throws -> any KernelProvider {
    let environment = try kernelEnvironment()
    if let jupyterUrl {
      let trust = jupyterCa.map { TLSTrust.file($0) } ?? .system
      let location = try ServerLocation(url: jupyterUrl, token: jupyterToken, trust: trust)
      return JupyterServerProvider(location, kernelEnvironment: environment, limits: limits, logger: logger)
    }
    let python = try PythonEnvironment(pythonEnvironment)
    let variables = python.environment.merging(environment) { $1 }
    switch backend ?? .local {
    case .jupyter:
      return ManagedJupyterServerProvider(
        python: python.interpreter, environment: variables, limits: limits, logger: logger)
    case .local:
      let provider = LocalKernelProvider(
        python: python.interpreter, environment: variables, preload: noForkServer ? nil : preloadedModules,
        zeroMQ: zeromq ?? .auto, limits: limits, controlGroups: controlGroups, logger: logger)
      let warm = warm ?? 1
      return warm > 0
        ? WarmPool(provider, size: warm, directory: workspace, logger: logger) : provider
    }
  }

  /// What each context may use, if its request does not say.
  var contextLimits: ResourceLimits {
    ResourceLimits(memory: contextMemory, processes: contextProcesses, disk: contextDisk)
  }

  /// Those that may limit contexts.
  private var controlGroups: ControlGroups { cgroups ? .find() : .none }

  /// What each context is kept from, if its request does not say.
  var contextIsolation: KernelIsolation { KernelIsolation(isIsolated: isolated, hasNetwork: network) }

  /// Refuses what this system cannot enforce, and logs what it can.
  ///
  /// - Parameter isOpen: true if the server asks nobody for a token.
  /// - Throws: `ValidationError`.
  func checkIsolation(isOpen: Bool, logger: Logger) throws {
    let support = IsolationSupport.ofThisSystem
    if let obstacle = support.obstacle(to: contextIsolation) {
      throw ValidationError("\(isolated ? "--isolated" : "--no-network"): \(obstacle).")
    }
    if contextIsolation.needsToken, isOpen {
      throw ValidationError(
        "--isolated keeps code from the server, which asks nobody for a token: give --token-file, or --no-network."
      )
    }
    guard backend ?? .local == .local, jupyterUrl == nil else { return }
    let groups = controlGroups
    logger.info(
      "limits and isolation of contexts",
      metadata: [
        "memory": "\(groups.limitMemory ? "control group, " : "")RLIMIT_DATA, watch",
        "processes": "\(groups.limitProcesses ? "control group, " : "")watch", "disk": "watch",
        "isolated":
          "\(support.obstacle(to: KernelIsolation(isIsolated: true)) ?? "Landlock \(support.landlock), seccomp")",
        "network": "\(support.obstacle(to: KernelIsolation(hasNetwork: false)) ?? "seccomp")",
      ])
  }

  private var limits: KernelLimits {
    var limits = KernelLimits()
    limits.maximumMessage = maxMessage
    limits.unreadOutput = maxUnreadOutput
    return limits
  }

  private var preloadedModules: [String] {
    (preload ?? Self.defaultPreload).split(separator: ",").map { String($0.filter { !$0.isWhitespace }) }
      .filter { !$0.isEmpty }
  }

  private func kernelEnvironment() throws -> [String: String] {
    var result: [String: String] = [:]
    for pair in kernelEnv {
      guard let equals = pair.firstIndex(of: "="), equals != pair.startIndex else {
        throw ValidationError("--kernel-env should be KEY=VALUE, not '\(pair)'.")
      }
      result[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
    }
    return result
  }
}

/// What runs the kernels.
enum Backend: String, ExpressibleByArgument, CaseIterable {
  case local, jupyter
}

extension ZeroMQImplementation: ExpressibleByArgument {}
