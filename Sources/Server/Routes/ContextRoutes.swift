import HTTPServer
import Jupyter
import Loop
import Bytes
import Wire
import Workspace

/// `/contexts`: creates, lists, restarts and deletes contexts.
@LoopActor
struct ContextRoutes {
  private static let json: HTTPFields = ["Content-Type": "application/json"]

  /// In bytes: PATH_MAX of Linux without its NUL.
  private static let longestDirectory = 4095

  let contexts: ContextStore
  let executions: ExecutionStore
  let workspace: String
  /// The limit of a request body, in bytes.
  let bodyLimit: Int

  func create(_ request: Request, with writer: ResponseWriter) async throws {
    let (language, asked, environment, limits, isolated, network) = try await request.json(
      limit: bodyLimit, allowsEmpty: true
    ) {
      (
        try $0.text("language"), try $0.text("cwd"), try $0.environment("env_vars"),
        ResourceLimits(
          memory: try $0.positiveInteger("memory_limit").map(Int64.init),
          processes: try $0.positiveInteger("process_limit"),
          disk: try $0.positiveInteger("disk_limit").map(Int64.init)),
        try $0.truth("isolated"), try $0.truth("network")
      )
    }
    let directory = try await self.directory(asked)
    try executions.admit()
    let context = try await contexts.create(
      language: language, directory: directory,
      environment: Dictionary(uniqueKeysWithValues: environment.map { ($0.name, $0.value) }), limits: limits,
      isolated: isolated, network: network)
    // The client would not know its identifier, and it would count against the limit.
    if writer.isClientDisconnected { try await contexts.delete(Bytes(context.identifier)) }
    var json = JSONWriter()
    Self.describe(context, in: &json)
    try await reply(json.takeAll(), with: writer)
  }

  func list(_ request: Request, with writer: ResponseWriter) async throws {
    let all = await contexts.all()
    var json = JSONWriter()
    json.array { json in for context in all { Self.describe(context, in: &json) } }
    try await reply(json.takeAll(), with: writer)
  }

  func show(_ request: Request, with writer: ResponseWriter) async throws {
    let context = try contexts.find(request.parameters["id"] ?? Bytes())
    let usage = await context.usage()
    var json = JSONWriter()
    Self.describe(context, in: &json) { json in
      json.key("state")
      json.value(context.state)
      json.key("created")
      json.value(Timestamp.format(context.created))
      json.key("last_active")
      json.value(Timestamp.format(context.lastActive))
      json.key("queued")
      json.value(context.mutex.waitingCount)
      json.key("execution_count")
      json.value(context.executionCount)
      json.key("restarts")
      json.value(context.restartCount)
      json.key("memory_bytes")
      json.value(usage?.memory)
      json.key("processes")
      json.value(usage?.processes)
      json.key("memory_limit")
      json.value(context.limits.memory)
      json.key("process_limit")
      json.value(context.limits.processes)
      json.key("disk_limit")
      json.value(context.limits.disk)
      json.key("limited_by")
      json.array { json in for method in context.limitMethods { json.value(method.rawValue) } }
      json.key("isolated")
      json.value(context.isolation.isIsolated)
      json.key("network")
      json.value(context.isolation.hasNetwork)
    }
    try await reply(json.takeAll(), with: writer)
  }

  func restart(_ request: Request, with writer: ResponseWriter) async throws {
    try executions.admit()
    try await contexts.restart(request.parameters["id"] ?? Bytes())
    try await reply("null", with: writer)
  }

  /// Interrupts what runs there now, if anything does.
  func interrupt(_ request: Request, with writer: ResponseWriter) async throws {
    try contexts.find(request.parameters["id"] ?? Bytes()).current?.interrupt()
    try await writer.send(204)
  }

  func delete(_ request: Request, with writer: ResponseWriter) async throws {
    try await contexts.delete(request.parameters["id"] ?? Bytes())
    try await reply("null", with: writer)
  }

  /// Relative directories are relative to the workspace, as in the file API.
  private func directory(_ asked: Bytes?) async throws -> String? {
    guard let asked, !asked.isEmpty else { return nil }
    guard asked.firstIndex(of: 0) == nil else { throw HTTPErrorResponse(400, "`cwd` contains a NUL") }
    guard asked.count <= Self.longestDirectory else {
      throw HTTPErrorResponse(
        400, "Working directory does not exist: its path has more than \(Self.longestDirectory) bytes")
    }
    let path = asked[0] == UInt8(ascii: "/") ? String(asked) : "\(workspace)/\(asked)"
    guard contexts.sharesFileSystem else { return path }
    guard (try? await Directory.open(path)) != nil else {
      throw HTTPErrorResponse(400, "Working directory \(asked) does not exist")
    }
    return path
  }

  private static func describe(
    _ context: Context, in json: inout JSONWriter, more: (inout JSONWriter) -> Void = { _ in }
  ) {
    json.object { json in
      json.key("id")
      json.value(context.identifier)
      json.key("language")
      json.value(context.language)
      json.key("cwd")
      json.value(context.directory)
      more(&json)
    }
  }

  private func reply(_ body: Bytes, with writer: ResponseWriter) async throws {
    try await writer.send(200, fields: Self.json, body: body)
  }
}
