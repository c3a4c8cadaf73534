public import Logging
public import Loop
import Bytes
import Wire

/// Kernels of a Jupyter Server, Kernel Gateway or Enterprise Gateway, over its REST API and WebSockets.
///
/// https://jupyter-server.readthedocs.io/en/stable/developers/rest-api.html
@LoopActor
public final class JupyterServerProvider: KernelProvider {
  /// How long a start may take. Enterprise Gateway answers when the kernel has called back, which takes a while on a cluster.
  private static let startLimit: Duration = .seconds(120)
  /// How long any other request may take. The server answers those at once, an interrupt too.
  private static let requestLimit: Duration = .seconds(30)
  /// How often a WebSocket is asked for. Jupyter Server answers when the kernel does; but if it restarts a kernel meanwhile, as one
  /// whose port another program has taken, it may wait for an answer on the old ports.
  private static let handshakes = 6
  private static let shutdownAttempts = 5
  private static let shutdownPause: Duration = .seconds(1)
  /// In bytes. Kernel identifiers are UUIDs.
  private static let longestIdentifier = 256

  /// True if the server is on this machine. Otherwise kernels have other files under the same paths.
  public let sharesFileSystem: Bool
  /// The server takes paths relative to its root directory, which may be any.
  public let startsInDirectory = false
  /// See `KernelProvider`.
  public let startsWithEnvironment = false
  /// See `KernelProvider`.
  public let overlapsKernels = false
  /// See `KernelProvider`.
  public let restartsKernels = true

  private let location: ServerLocation
  private let client: HTTPClient
  private let kernelEnvironment: [String: String]
  private let limits: KernelLimits
  private let logger: Logger
  private lazy var knownSpecs = CachedValue { try await self.askForSpecs() }
  private let isOurs: Bool
  private var kernels: Set<String> = []
  /// The names of the kernelspecs whose kernels keep their output (see `LocalKernelSpec`); nil before the server was asked.
  private var keepingSpecs: Set<String>?
  /// The kernels whose output is read at once.
  private var readAheadKernels: Set<String> = []

  /// - Parameters:
  ///   - location: where the server is.
  ///   - kernelEnvironment: sent with each start; gateways put it into the kernel's environment.
  ///   - isOurs: true for a server that this process has started. That server slows down a kernel that keeps its output if
  ///     the client does not read. It reads everything that other kernels send, and this provider reads that from the server
  ///     at once. Other servers handle unread output in their own way: most keep it, without a limit.
  public init(
    _ location: ServerLocation, kernelEnvironment: [String: String], limits: KernelLimits = KernelLimits(),
    isOurs: Bool = false, logger: Logger
  ) {
    self.location = location
    self.client = HTTPClient(location)
    self.kernelEnvironment = kernelEnvironment
    self.limits = limits
    self.isOurs = isOurs
    self.logger = logger
    self.sharesFileSystem = location.isOnThisMachine
  }

  /// The kernelspecs that the server has.
  public func specs(maximumAge: Duration) async throws -> [KernelSpec] {
    try await knownSpecs.value(maximumAge: maximumAge)
  }

  private func askForSpecs() async throws -> [KernelSpec] {
    let reply = try await ask("GET", "/api/kernelspecs", expecting: [200])
    guard let list = reply?["kernelspecs"], list.kind == .object else {
      throw KernelProviderError.unavailable("the Jupyter server's list of kernels has no `kernelspecs`")
    }
    var specs: [KernelSpec] = []
    var keepingSpecs: Set<String> = []
    list.forEachMember { name, entry in
      let spec = entry["spec"]
      let longest = KernelSpec.longestName
      guard let name = name.ascii(atMost: longest), let language = spec?["language"]?.ascii(atMost: longest)
      else { return }
      if spec?["metadata"]?["code_interpreter"]?["keeps_output"]?.bool == true { keepingSpecs.insert(name) }
      specs.append(
        KernelSpec(name: name, displayName: spec?["display_name"]?.excerpt() ?? name, language: language))
    }
    self.keepingSpecs = keepingSpecs
    return specs
  }

  /// Starts a kernel and connects to it.
  public func start(
    _ spec: KernelSpec, in directory: String, environment: [String: String], isolation: KernelIsolation
  ) async throws -> KernelConnection {
    // A server that was restarted has not been asked yet.
    if isOurs, keepingSpecs == nil { _ = try await specs(maximumAge: .zero) }
    let body = startRequest(spec, in: directory, environment: environment)
    let reply = try await ask(
      "POST", "/api/kernels", body: body, limit: Self.startLimit, expecting: [200, 201])
    guard let identifier = reply?["id"]?.ascii(atMost: Self.longestIdentifier),
      identifier.utf8.allSatisfy(Self.isIdentifierPart)
    else {
      throw KernelProviderError.unavailable("the Jupyter server's reply to a start names no kernel")
    }
    kernels.insert(identifier)
    if isOurs, keepingSpecs?.contains(spec.name) != true { readAheadKernels.insert(identifier) }
    do {
      return KernelConnection(identifier: identifier, channel: try await open(identifier))
    } catch {
      await kill(identifier)
      throw error
    }
  }

  /// Connects again, if the server still has the kernel.
  public func reconnect(_ identifier: String) async throws -> any KernelChannel {
    _ = try await ask("GET", "/api/kernels/\(identifier)", expecting: [200])
    return try await open(identifier)
  }

  /// Interrupts the code that the kernel runs.
  public func interrupt(_ identifier: String) async throws {
    _ = try await ask("POST", "/api/kernels/\(identifier)/interrupt", expecting: [200, 204])
  }

  /// Ends the kernel. The server asks it to shut down and waits for as long as it is configured to.
  public func shutDown(_ identifier: String, isBusy: Bool) async { await kill(identifier) }

  /// The same as `shutDown`: the REST API has no other way.
  public func kill(_ identifier: String) async {
    guard kernels.remove(identifier) != nil else { return }
    readAheadKernels.remove(identifier)
    for attempt in 1...Self.shutdownAttempts {
      do {
        _ = try await ask("DELETE", "/api/kernels/\(identifier)", expecting: [200, 204])
        return
      } catch KernelProviderError.kernelIsGone {
        return
      } catch {
        // A Jupyter Server that is restarting a dead kernel answers 500, and would keep the kernel.
        guard attempt < Self.shutdownAttempts, await client.isReachable else {
          logger.warning(
            "kernel not shut down", metadata: ["kernel": "\(identifier)", "reason": "\(error)"])
          return
        }
        try? await EventLoop.sleep(for: Self.shutdownPause)
      }
    }
  }

  /// Ends all kernels.
  public func close() async {
    await withTaskGroup { group in
      for kernel in kernels { group.addTask { await self.kill(kernel) } }
    }
  }

  /// A Jupyter Server uses `path`. Gateways use the variables: they pass on `KERNEL_…` and those that they are configured to
  /// allow.
  private func startRequest(_ spec: KernelSpec, in directory: String, environment: [String: String]) -> Bytes
  {
    var json = JSONWriter()
    json.object { json in
      json.key("name")
      json.value(spec.name)
      json.key("path")
      json.value(String(directory.drop { $0 == "/" }))
      json.key("env")
      json.value(
        ["KERNEL_WORKING_DIR": directory].merging(kernelEnvironment) { $1 }.merging(environment) { $1 })
    }
    return json.takeAll()
  }

  /// Sends a request to the REST API. Returns the JSON of the response; nil if its body is not JSON.
  ///
  /// - Throws: `KernelProviderError` for whatever goes wrong, `CancellationError`.
  private func ask(
    _ method: String, _ path: String, body: Bytes = Bytes(), limit: Duration = requestLimit,
    expecting statuses: [Int]
  ) async throws -> JSONSlice? {
    let reply: HTTPClient.Reply
    do {
      reply = try await client.send(method, path, body: body, limit: limit)
    } catch let error as CancellationError {
      throw error
    } catch {
      throw KernelProviderError.unavailable(
        "the Jupyter server at \(location.hostField) does not answer: \(error)")
    }
    let json = try await Computation.run(over: reply.body.count) { try? JSONSlice.parse(reply.body) }
    if statuses.contains(reply.status) { return json }
    throw Self.error(for: reply, json, to: "\(method) \(path)")
  }

  private static func error(
    for reply: HTTPClient.Reply, _ json: JSONSlice?, to request: String
  ) -> KernelProviderError {
    let message = json.flatMap(reason) ?? "no reason given"
    switch reply.status {
    case 401,
      403 where !request.hasPrefix("POST") || reply.body.contains("_xsrf"):
      // Some servers answer to a wrong token that `_xsrf` is missing.
      return .refused(
        "the Jupyter server refuses the token, see --jupyter-token (\(reply.status) to \(request))")
    case 404 where request.contains("/api/kernels/"): return .kernelIsGone
    case 400..<500: return .refused("the Jupyter server answered \(reply.status) to \(request): \(message)")
    default: return .unavailable("the Jupyter server answered \(reply.status) to \(request): \(message)")
    }
  }

  private static func reason(in reply: JSONSlice) -> String? {
    // Enterprise Gateway sends the text in `reason`, beside an empty `message`.
    return ["reason", "message"].compactMap { reply[$0]?.excerpt() }.first { !$0.isEmpty }
  }

  /// True for bytes that need no percent-encoding in a path.
  private static func isIdentifierPart(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  private func open(_ identifier: String) async throws -> any KernelChannel {
    do {
      let isForKeeping = readAheadKernels.contains(identifier)
      let channel = try await openWebSocket(identifier, isForKeeping: isForKeeping)
      guard isOurs else { return channel }
      return ReadAheadChannel(
        channel, limit: limits.unreadOutput, keepsOutput: !isForKeeping, logger: logger)
    } catch let error as CancellationError {
      throw error
    } catch {
      throw KernelProviderError.unavailable("no WebSocket to the kernel: \(error)")
    }
  }

  private func openWebSocket(_ identifier: String, isForKeeping: Bool) async throws -> WebSocketChannel {
    var attempt = 1
    while true {
      do {
        return try await WebSocketChannel.open(
          identifier, at: location, maximumMessageLength: limits.maximumMessage, isForKeeping: isForKeeping,
          logger: logger)
      } catch is DeadlineExceeded where attempt < Self.handshakes {
        attempt += 1
      }
    }
  }
}
