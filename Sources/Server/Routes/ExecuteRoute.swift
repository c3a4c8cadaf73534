import HTTPServer
import Jupyter
import Logging
import Loop
import Bytes
import Wire

/// `POST /execute`: runs code and streams its output.
@LoopActor
struct ExecuteRoute {
  let contexts: ContextStore
  let runs: ExecutionRuns
  /// How many executions may wait in one context.
  let queueLimit: Int
  /// How many bytes a request may have.
  let bodyLimit: Int
  let logger: Logger

  func respond(to request: Request, with writer: ResponseWriter) async throws {
    let wanted = try await request.json(limit: bodyLimit) { try ExecuteRequest($0) }
    // Before a default context is made, and again when it is there: the server may have begun to drain meanwhile.
    try runs.admit()
    let context = try await context(for: wanted)
    let environment = try await Self.environment(of: wanted, in: context)
    guard context.mutex.waitingCount < queueLimit else {
      throw HTTPErrorResponse(429, "\(queueLimit) executions wait in this context, and no more are allowed")
    }
    try runs.admit()
    let order = ExecutionRun.Order(code: wanted.code, environment: environment)
    let sink = NDJSONSink(writer: writer)
    let run = ExecutionRun(order, in: context, sink: sink, logger: logger)
    await runs.follow(run) {
      let watch = LoopActor.task {
        await writer.untilClientDisconnects()
        if writer.isClientDisconnected { run.abandon() }
      }
      await run.run()
      watch.cancel()
    }
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
}
