import Bytes
import HTTPServer
import Jupyter
import Logging
import Loop
import Wire

/// `/execute` and `/executions`: run code, and follow, interrupt and forget what runs.
@LoopActor
struct ExecutionRoutes {
  private static let json: HTTPFields = ["Content-Type": "application/json", "Cache-Control": "no-store"]

  let contexts: ContextStore
  let executions: ExecutionStore
  /// How many bytes a request may have.
  let bodyLimit: Int
  let logger: Logger

  /// Registers the routes.
  func add(to router: inout Router) {
    router.on("POST", "/execute", execute)
    router.on("POST", "/executions", create)
    router.on("GET", "/executions", list)
    router.on("GET", "/executions/{id}", show)
    router.on("DELETE", "/executions/{id}", delete)
    router.on("GET", "/executions/{id}/events", events)
    router.on("POST", "/executions/{id}/interrupt", interrupt)
    router.on("POST", "/executions/{id}/stdin", answer)
  }

  // MARK: Running

  /// Runs code and streams its output.
  private func execute(_ request: Request, with writer: ResponseWriter) async throws {
    let wanted = try await read(request)
    guard wanted.keepsLines else { return try await stream(wanted, with: writer) }
    let resource = try await start(wanted, endsWithReaders: wanted.onDisconnect == .interrupt)
    try await follow(resource, with: writer)
  }

  /// Runs code, whoever is connected.
  private func create(_ request: Request, with writer: ResponseWriter) async throws {
    let resource = try await start(try await read(request), endsWithReaders: false)
    var fields = Self.json
    fields.append("Location", "/executions/\(resource.identifier)")
    try await writer.send(202, fields: fields, body: Self.describe(resource))
  }

  /// The lines go to this client alone, as they come, and are not kept.
  private func stream(_ wanted: ExecuteRequest, with writer: ResponseWriter) async throws {
    let (context, parameters) = try await prepare(wanted)
    let resource = try executions.add(RandomIdentifier.make(), in: context, keepsLines: false)
    let sink = NDJSONSink(writer: writer, identifier: resource.identifier)
    let run = ExecutionRun(parameters, in: context, sink: sink, resource: resource, logger: logger)
    let watch = LoopActor.task {
      await writer.untilClientDisconnects()
      if writer.isClientDisconnected { run.interrupt() }
    }
    executions.begin(resource, run)
    await executions.follow(resource)
    watch.cancel()
  }

  /// Begins an execution that keeps its lines; or finds it, where the client has sent this before.
  private func start(_ wanted: ExecuteRequest, endsWithReaders: Bool) async throws -> ExecutionResource {
    guard let identifier = wanted.identifier else {
      return try await begin(wanted, RandomIdentifier.make(), endsWithReaders: endsWithReaders)
    }
    let body = wanted.body
    let fingerprint = try await Computation.run(over: body.count) { Bytes(SHA256.digest(body)) }
    return try await executions.once(identifier, fingerprint) {
      try await begin(wanted, identifier, fingerprint, endsWithReaders: endsWithReaders)
    }
  }

  private func begin(
    _ wanted: ExecuteRequest, _ identifier: String, _ fingerprint: Bytes? = nil, endsWithReaders: Bool
  ) async throws -> ExecutionResource {
    let (context, parameters) = try await prepare(wanted)
    let resource = try executions.add(
      identifier, in: context, fingerprint: fingerprint, keepsLines: true,
      endsWithReaders: endsWithReaders, size: wanted.size)
    guard let journal = resource.journal else { return resource }
    let run = ExecutionRun(
      parameters, in: context, sink: JournalSink(journal), resource: resource, logger: logger)
    // Before the task: a client that is gone already interrupts it, and a request that was read next comes after it.
    executions.begin(resource, run)
    LoopActor.task { await executions.follow(resource) }
    return resource
  }

  private func read(_ request: Request) async throws -> ExecuteRequest {
    let defaults = executions.options
    return try await request.json(limit: bodyLimit) { try ExecuteRequest($0, defaults: defaults) }
  }

  /// Finds or makes the context, and checks what depends on it.
  private func prepare(_ wanted: ExecuteRequest) async throws -> (Context, ExecutionRun.Parameters) {
    // Before a default context is made, and again when it is there: the server may have begun to drain meanwhile.
    try executions.admit()
    let context = try await context(for: wanted)
    let environment = try await Self.environment(of: wanted, in: context)
    let limit = executions.options.mostQueued
    guard context.mutex.waitingCount < limit else {
      throw HTTPErrorResponse(429, "\(limit) executions wait in this context, and no more are allowed")
    }
    try executions.admit()
    let parameters = ExecutionRun.Parameters(
      code: wanted.code, environment: environment, timeout: wanted.timeout, outputLimit: wanted.outputLimit,
      input: wanted.input, interruptGrace: executions.options.interruptGrace)
    return (context, parameters)
  }

  private func context(for wanted: ExecuteRequest) async throws -> Context {
    guard let identifier = wanted.contextIdentifier else {
      return try await contexts.defaultContext(for: wanted.language)
    }
    return try contexts.context(identifier)
  }

  private static func environment(
    of wanted: ExecuteRequest, in context: Context
  ) async throws -> ExecutionEnvironment? {
    if wanted.variables.isEmpty { return nil }
    let language = context.spec.language
    let environment = try await Computation.run(over: wanted.variablesLength) {
      ExecutionEnvironment(wanted.variables, language: language)
    }
    guard let environment else {
      throw HTTPErrorResponse(400, "`env_vars` of these names cannot be set in a \(context.language) kernel")
    }
    return environment
  }

  // MARK: What runs, or has run

  private func list(_ request: Request, with writer: ResponseWriter) async throws {
    let context = try request.target.query("context_id")
    let wanted = executions.all.filter { context == nil || Bytes($0.record.contextIdentifier) == context }
    var json = JSONWriter()
    json.array { json in for resource in wanted { Self.describe(resource, in: &json) } }
    try await writer.send(200, fields: Self.json, body: json.takeAll())
  }

  private func show(_ request: Request, with writer: ResponseWriter) async throws {
    try await writer.send(200, fields: Self.json, body: Self.describe(find(request)))
  }

  private func events(_ request: Request, with writer: ResponseWriter) async throws {
    let resource = try find(request)
    let after = try Self.number("after", in: request) ?? 0
    let follows = try Self.truth("follow", in: request) ?? true
    guard let journal = resource.journal else {
      throw HTTPErrorResponse(
        409,
        "The lines of this execution are not kept. Run code by POST /executions, or with an execution_id "
          + "or \"on_disconnect\": \"continue\"")
    }
    try await LineStream(resource, journal, follows: follows, writer: writer).send(after: after)
  }

  private func follow(_ resource: ExecutionResource, with writer: ResponseWriter) async throws {
    guard let journal = resource.journal else { return }
    try await LineStream(resource, journal, follows: true, writer: writer).send(after: 0)
  }

  private func interrupt(_ request: Request, with writer: ResponseWriter) async throws {
    try find(request).interrupt()
    try await writer.send(204)
  }

  private func answer(_ request: Request, with writer: ResponseWriter) async throws {
    let resource = try find(request)
    let text = try await request.json(limit: bodyLimit) { fields in
      guard let text = try fields.contents("text") else {
        throw HTTPErrorResponse(422, "`text` is missing; it should be a string")
      }
      return text
    }
    guard await resource.answer(text) else {
      throw HTTPErrorResponse(409, "The execution \(resource.identifier) does not wait for input")
    }
    try await writer.send(204)
  }

  private func delete(_ request: Request, with writer: ResponseWriter) async throws {
    executions.delete(try find(request))
    try await writer.send(204)
  }

  private func find(_ request: Request) throws -> ExecutionResource {
    try executions.find(request.parameters["id"] ?? Bytes())
  }

  private static func number(_ name: Bytes, in request: Request) throws -> Int? {
    guard let text = try request.target.query(name) else { return nil }
    // `Int` accepts a sign, too.
    guard let digits = text.ascii(atMost: 18), digits.utf8.allSatisfy(\.isDigit), let number = Int(digits)
    else {
      throw HTTPErrorResponse(422, "`\(name)` should be a whole number, from 0")
    }
    return number
  }

  private static func truth(_ name: Bytes, in request: Request) throws -> Bool? {
    guard let text = try request.target.query(name) else { return nil }
    switch text {
    case "true", "1": return true
    case "false", "0": return false
    default: throw HTTPErrorResponse(422, "`\(name)` should be true or false")
    }
  }

  private static func describe(_ resource: ExecutionResource) -> Bytes {
    var json = JSONWriter()
    describe(resource, in: &json)
    return json.takeAll()
  }

  private static func describe(_ resource: ExecutionResource, in json: inout JSONWriter) {
    resource.record.write(to: &json, firstLine: resource.journal?.firstLine)
  }
}
