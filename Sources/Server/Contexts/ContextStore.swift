import HTTPServer
import Jupyter
import Logging
import Loop
import Bytes
import OrderedCollections

/// All contexts, and the rule that every language has one default context, made on first use.
@LoopActor
final class ContextStore {
  /// The language of executions that name neither a context nor a language.
  static let defaultLanguage = "python"

  /// In bytes. Contexts are named by UUIDs, so no context has a longer name.
  private static let longestIdentifier = 64
  /// The languages whose default contexts exist from the start, if their kernels are installed.
  private static let listedLanguages = [defaultLanguage, "javascript"]
  /// The maximum age of the list of installed kernels for a request with a language, and for a list of all contexts.
  private static let specsAge: Duration = .seconds(60)
  private static let listedSpecsAge: Duration = .seconds(2)
  /// How long a list of contexts waits for a provider that does not answer.
  private static let listingLimit: Duration = .seconds(1)

  private let provider: any KernelProvider
  private let workspace: String
  /// The workspace, without links in its path: where isolated contexts are that name no directory.
  private let workspaceWithoutLinks: String
  private let limit: Int
  private let limits: ResourceLimits
  private let isolation: KernelIsolation
  /// True if everybody who reaches the server may use it.
  private let isOpen: Bool
  private let logger: Logger
  private var contexts: OrderedDictionary<String, Context> = [:]
  /// Identifiers of default contexts by the name of their kernel.
  private var defaults: [String: String] = [:]
  /// The default context of executions that name neither a context nor a language.
  private var unnamedDefault: String?
  /// The languages of `listedLanguages` whose default contexts have been listed. A deleted one comes back when it is used.
  private var listed: Set<String> = []

  /// - Parameters:
  ///   - workspace: the directory of contexts that name none.
  ///   - limit: how many contexts there may be at once.
  ///   - limits: what each of them may use, if its request does not say.
  ///   - isolation: what each of them is kept from, if its request does not say.
  ///   - isOpen: true if everybody who reaches the server may use it.
  init(
    provider: any KernelProvider, workspace: String, limit: Int, limits: ResourceLimits = ResourceLimits(),
    isolation: KernelIsolation = KernelIsolation(), isOpen: Bool = true, logger: Logger
  ) {
    self.provider = provider
    self.workspace = workspace
    self.workspaceWithoutLinks = SmallFile.realPath(workspace) ?? workspace
    self.limit = limit
    self.limits = limits
    self.isolation = isolation
    self.isOpen = isOpen
    self.logger = logger
  }

  /// All contexts, oldest first, with the default contexts that no client has used yet.
  func all() async -> [Context] {
    await addListed()
    return Array(contexts.values)
  }

  /// True if kernels see the files of this machine under the same paths.
  var sharesFileSystem: Bool { provider.sharesFileSystem }

  /// True once the default context has been ready.
  var isWarm = false

  /// True if executions can be served: the default context has been ready once, and the provider of its kernel
  /// answers. A deleted default context is created again on use; a restarted one comes back by itself.
  var isReady: Bool { isWarm && !contexts.values.contains { $0.isDefault && $0.isDisconnected } }

  /// The context with this identifier. Its kernel is ready or starting.
  ///
  /// - Throws: `HTTPErrorResponse` 404; 429 if there are too many kernels.
  func context(_ identifier: Bytes) throws -> Context {
    let context = try find(identifier)
    try begin(context)
    context.touch()
    return context
  }

  // MARK: Idle contexts

  /// Deletes contexts that nobody has used for so long. Looks at them `idleChecks` times within that time.
  func deleteIdle(after limit: Duration) async {
    while !Task.isCancelled {
      do { try await EventLoop.sleep(for: max(limit / Self.idleChecks, .milliseconds(10))) } catch { return }
      let now = EventLoop.now
      for context in contexts.values
      where context.isIdle && now - context.lastActiveTime >= limit.nanoseconds {
        logger.info("the context is idle: it is deleted", metadata: ["context": "\(context.identifier)"])
        LoopActor.task {
          await self.delete(context, because: "the context was idle for \(limit.secondsText) s")
        }
      }
    }
  }

  private static let idleChecks = 10

  /// - Throws: `HTTPErrorResponse` 404.
  func find(_ identifier: Bytes) throws -> Context {
    guard let context = identifier.ascii(atMost: Self.longestIdentifier).flatMap({ contexts[$0] }) else {
      throw HTTPErrorResponse(404, "Context \(identifier.excerpt(atMost: Self.longestIdentifier)) not found")
    }
    return context
  }

  /// Creates a context. Its kernel takes code on return.
  ///
  /// - Parameters:
  ///   - limits: those that differ from the store's.
  ///   - isolated: whether it is isolated; nil for the store's default.
  ///   - network: whether it has network; nil for the store's default.
  /// - Throws: `HTTPErrorResponse` 400, 429, 501, 503.
  func create(
    language: Bytes?, directory: String?, environment: [String: String] = [:],
    limits: ResourceLimits = ResourceLimits(), isolated: Bool? = nil, network: Bool? = nil
  ) async throws -> Context {
    if limits.isAny, !provider.limitsKernels {
      throw HTTPErrorResponse(
        501,
        "`memory_limit`, `process_limit` and `disk_limit` need kernels that this server runs itself (--backend local)"
      )
    }
    let (name, spec) = try await resolve(language)
    let isolation = KernelIsolation(
      isIsolated: isolated ?? isolation.isIsolated, hasNetwork: network ?? isolation.hasNetwork)
    try await check(isolation, for: spec)
    let directory = isolation.isIsolated ? try directory.map(withoutLinks) : directory
    let context = make(
      name, spec, directory: directory, environment: environment, limits: limits, isolation: isolation,
      isDefault: false)
    try begin(context)
    contexts[context.identifier] = context
    do {
      _ = try await context.ready()
      return context
    } catch {
      contexts[context.identifier] = nil
      throw Self.failure(for: error)
    }
  }

  /// The default context of a language, created on first use.
  ///
  /// - Throws: `HTTPErrorResponse` 400, 429, 501, 503.
  func defaultContext(for language: Bytes?) async throws -> Context {
    // The common case.
    if language == nil, let context = unnamedDefault.flatMap({ contexts[$0] }) {
      context.touch()
      return context
    }
    let (name, spec) = try await resolve(language)
    try await check(isolation, for: spec)
    let known = defaults[spec.name].flatMap { contexts[$0] }
    let context = known ?? make(name, spec, directory: nil, isDefault: true)
    try begin(context)
    if known == nil { add(default: context) }
    if language == nil { unnamedDefault = context.identifier }
    return context
  }

  /// Adds the default contexts that exist from the start. They have no kernel until they are used.
  func addListed() async {
    guard !listed.isSuperset(of: Self.listedLanguages) else { return }
    let provider = provider
    let specs = try? await withDeadline(Self.listingLimit) {
      try await provider.specs(maximumAge: Self.listedSpecsAge)
    }
    let languages = Languages(specs: specs ?? [])
    for language in Self.listedLanguages where !listed.contains(language) {
      guard let spec = languages.spec(for: language) else { continue }
      listed.insert(language)
      if defaults[spec.name].flatMap({ contexts[$0] }) == nil {
        add(default: make(language, spec, directory: nil, isDefault: true))
      }
    }
  }

  /// - Throws: `HTTPErrorResponse` 404, 429, 503.
  func restart(_ identifier: Bytes) async throws {
    let context = try find(identifier)
    do {
      if context.hasBegun { return try await context.restart() }
      try begin(context)
      _ = try await context.ready()
    } catch {
      throw Self.failure(for: error)
    }
  }

  /// - Throws: `HTTPErrorResponse` 404.
  func delete(_ identifier: Bytes) async throws {
    await delete(try find(identifier), because: "the context was deleted")
  }

  private func delete(_ context: Context, because reason: String) async {
    contexts[context.identifier] = nil
    if context.isDefault { listed.insert(context.language) }
    await context.delete(because: reason)
  }

  /// Ends all contexts, all at once.
  func close() async {
    await withTaskGroup { group in
      for context in contexts.values {
        group.addTask { await context.delete(because: "the server is shutting down") }
      }
    }
    contexts.removeAll()
  }

  /// The error response for a request that needs a context.
  static func failure(for error: any Error) -> any Error {
    switch error {
    case KernelProviderError.noDirectory: HTTPErrorResponse(400, "\(error)")
    case KernelProviderError.limitTooLow(let reason):
      HTTPErrorResponse(422, "`memory_limit` is too low: \(reason)")
    case let error as KernelProviderError:
      HTTPErrorResponse.unavailable("Kernels are not available: \(error)")
    case let end as KernelEnd:
      HTTPErrorResponse.unavailable("The kernel is not available: \(end.explanation)")
    case let failure as SilentCodeFailure:
      HTTPErrorResponse(400, "The kernel cannot start in its working directory: \(failure)")
    default: error
    }
  }

  /// - Throws: `HTTPErrorResponse` 501 if kernels cannot be kept from that.
  private func check(_ isolation: KernelIsolation, for spec: KernelSpec) async throws {
    guard isolation.isAny else { return }
    if let obstacle = await provider.obstacle(to: isolation, for: spec) {
      throw HTTPErrorResponse(501, "What the context is to be kept from cannot be: \(obstacle)")
    }
    if isolation.needsToken, isOpen {
      throw HTTPErrorResponse(
        501,
        """
        An isolated context with network could use this server, which asks nobody for a token: \
        start it with --token-file, or say "network": false
        """)
    }
  }

  /// The path of a directory for an isolated context.
  ///
  /// - Throws: `HTTPErrorResponse` 400 if a link beyond the workspace's own path leads to it: code of another context may have put it
  ///   there, to what is out of its own reach.
  private func withoutLinks(_ directory: String) throws -> String {
    var path = directory[...]
    while path.utf8.count > 1, path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
    if path.utf8.elementsEqual(workspace.utf8) { return workspaceWithoutLinks }
    let prefix = "\(workspace)/"
    let expected =
      path.utf8.starts(with: prefix.utf8)
      ? "\(workspaceWithoutLinks)/\(Substring(path.utf8.dropFirst(prefix.utf8.count)))" : String(path)
    guard let path = SmallFile.realPath(directory), path.hasSameBytes(as: expected) else {
      throw HTTPErrorResponse(
        400, "`cwd` of an isolated context must be a path without links, `.` and `..`")
    }
    return path
  }

  private func make(
    _ language: String, _ spec: KernelSpec, directory: String?, environment: [String: String] = [:],
    limits asked: ResourceLimits = ResourceLimits(), isolation: KernelIsolation? = nil, isDefault: Bool
  ) -> Context {
    let isolation = isolation ?? self.isolation
    return Context(
      language: language, spec: spec,
      directory: directory ?? (isolation.isIsolated ? workspaceWithoutLinks : workspace),
      isDirectoryRequested: directory != nil, environment: environment,
      limits: ResourceLimits(
        memory: asked.memory ?? limits.memory, processes: asked.processes ?? limits.processes,
        disk: asked.disk ?? limits.disk),
      isolation: isolation, isDefault: isDefault, provider: provider, logger: logger)
  }

  private func add(default context: Context) {
    contexts[context.identifier] = context
    defaults[context.spec.name] = context.identifier
  }

  /// Starts the kernel of a context if it has none.
  private func begin(_ context: Context) throws {
    if context.hasBegun { return }
    guard contexts.values.count(where: \.hasBegun) < limit else {
      throw HTTPErrorResponse(429, "There are \(limit) contexts, and no more are allowed; delete one first")
    }
    context.begin()
  }

  private func resolve(_ language: Bytes?) async throws -> (String, KernelSpec) {
    let asked = language ?? Bytes(Self.defaultLanguage)
    let name = Languages.canonicalName(asked)
    var languages = Languages(specs: [])
    do {
      // It may have been installed after the list was read.
      for age in [Self.specsAge, .zero] {
        languages = Languages(specs: try await provider.specs(maximumAge: age))
        guard let name else { continue }
        if let spec = languages.spec(for: name) { return (Self.language(spec, requestedAs: name), spec) }
      }
    } catch {
      throw Self.failure(for: error)
    }
    let shown = asked.count <= KernelSpec.longestName ? "'\(asked)'" : "with so long a name"
    throw HTTPErrorResponse(400, "No kernel for language \(shown). Installed: \(languages.list)")
  }

  /// The language of a context for a request that names a language or a kernel.
  private static func language(_ spec: KernelSpec, requestedAs name: String) -> String {
    name == spec.name.lowercased() ? spec.language : name
  }
}
