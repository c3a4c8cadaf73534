import Jupyter
import Logging
import Loop
import Memory
import OrderedCollections

/// All contexts, and the rule that every language has one default context, made on first use.
@LoopActor
final class ContextStore {
  /// The language of executions that name neither a context nor a language.
  static let defaultLanguage = "python"

  /// Contexts are called by UUIDs; a longer name is that of none.
  private static let longestIdentifier = 64

  private let host: any KernelHost
  private let workspace: String
  private let limit: Int
  private let logger: Logger
  private var contexts: OrderedDictionary<String, Context> = [:]
  /// Identifiers of default contexts by the name of their kernel.
  private var defaults: [String: String] = [:]
  /// The one of executions that name nothing.
  private var unnamedDefault: String?
  private var starting = 0

  /// - Parameters:
  ///   - workspace: the directory of contexts that name none.
  ///   - limit: how many contexts there may be at once.
  init(host: any KernelHost, workspace: String, limit: Int, logger: Logger) {
    self.host = host
    self.workspace = workspace
    self.limit = limit
    self.logger = logger
  }

  /// All that are there, oldest first.
  var all: [Context] { Array(contexts.values) }

  /// True where paths of this machine mean the same to the kernels.
  var sharesFileSystem: Bool { host.sharesFileSystem }

  /// True once the default context has been up.
  var isWarm = false

  /// True while executions can be served: from when the default context was first up, but for the times when what runs
  /// its kernel is away. One that was deleted comes back on use, and one that is restarted comes back by itself.
  var isReady: Bool { isWarm && !contexts.values.contains { $0.isDefault && $0.isAway } }

  /// - Throws: `HTTPFailure` 404.
  func context(_ identifier: Bytes) throws -> Context {
    guard let context = identifier.ascii(atMost: Self.longestIdentifier).flatMap({ contexts[$0] }) else {
      throw HTTPFailure(404, "Context \(identifier) not found")
    }
    return context
  }

  /// Makes a context; its kernel takes code when this returns.
  ///
  /// - Throws: `HTTPFailure` 400, 429, 503.
  func create(language: Bytes?, directory: String?) async throws -> Context {
    let (name, spec) = try await resolve(language)
    let context = try insert(name, spec, directory: directory, isDefault: false)
    do {
      _ = try await context.ready()
      return context
    } catch {
      contexts[context.identifier] = nil
      throw Self.failure(for: error)
    }
  }

  /// The default context of a language, made when there is none, once, however many ask.
  ///
  /// - Throws: `HTTPFailure` 400, 429, 503.
  func defaultContext(for language: Bytes?) async throws -> Context {
    // Nearly all executions name no language.
    if language == nil, let context = unnamedDefault.flatMap({ contexts[$0] }) { return context }
    let (name, spec) = try await resolve(language)
    if let context = defaults[spec.name].flatMap({ contexts[$0] }) { return context }
    let context = try insert(name, spec, directory: nil, isDefault: true)
    defaults[spec.name] = context.identifier
    if language == nil { unnamedDefault = context.identifier }
    return context
  }

  /// - Throws: `HTTPFailure` 404, 503.
  func restart(_ identifier: Bytes) async throws {
    do { try await context(identifier).restart() } catch { throw Self.failure(for: error) }
  }

  /// - Throws: `HTTPFailure` 404.
  func delete(_ identifier: Bytes) async throws {
    let context = try context(identifier)
    contexts[context.identifier] = nil
    await context.delete(because: "the context was deleted")
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

  /// What is left of `error` for a client that asked for a context.
  static func failure(for error: any Error) -> any Error {
    switch error {
    case KernelHostError.noDirectory: HTTPFailure(400, "\(error)")
    case let error as KernelHostError: HTTPFailure.unavailable("Kernels are not available: \(error)")
    case let end as KernelEnd: HTTPFailure.unavailable("The kernel is not available: \(end.explanation)")
    case let failure as SilentCodeFailure:
      HTTPFailure(400, "The kernel cannot start in its working directory: \(failure)")
    default: error
    }
  }

  private func insert(_ name: String, _ spec: KernelSpec, directory: String?, isDefault: Bool) throws
    -> Context
  {
    guard contexts.count < limit else {
      throw HTTPFailure(429, "There are \(limit) contexts, and no more are allowed; delete one first")
    }
    let context = Context(
      language: name, spec: spec, directory: directory ?? workspace, isDirectoryAsked: directory != nil,
      isDefault: isDefault,
      host: host, logger: logger)
    contexts[context.identifier] = context
    return context
  }

  private func resolve(_ language: Bytes?) async throws -> (String, KernelSpec) {
    let asked = language ?? Bytes(Self.defaultLanguage)
    let languages: Languages
    do {
      languages = Languages(specs: try await host.specs())
    } catch {
      throw Self.failure(for: error)
    }
    guard let name = Languages.canonicalName(asked), let spec = languages.spec(for: name) else {
      let shown = asked.count <= KernelSpec.longestName ? "'\(asked)'" : "with so long a name"
      throw HTTPFailure(400, "No kernel for language \(shown). Installed: \(languages.list)")
    }
    // Asked for by its own name, a kernel has the language that it declares.
    return (name == spec.name.lowercased() ? spec.language : name, spec)
  }
}
