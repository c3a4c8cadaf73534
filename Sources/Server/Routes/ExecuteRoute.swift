import Jupyter
import Logging
import Loop
import Memory
import Wire

/// `POST /execute`: runs code and streams what it says.
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
    let body = try await request.jsonFields(limit: bodyLimit)
    let code = try body.requiredContents("code")
    guard !JSONString.hasLoneSurrogate(contents: code) else {
      throw HTTPFailure(422, "`code` should be text, and has half a surrogate pair in it")
    }
    let variables = try Self.variables(body)
    // Before a default context is made for it, and again when it is there.
    try runs.admit()
    let context = try await context(for: body)
    let environment = try Self.environment(variables, in: context)
    guard context.turns.waiting < queueLimit else {
      throw HTTPFailure(429, "\(queueLimit) executions wait in this context, and no more are allowed")
    }
    try runs.admit()
    let order = ExecutionRun.Order(code: code, environment: environment)
    let output = ExecutionOutput(writer: writer)
    let run = ExecutionRun(order, in: context, output: output, logger: logger)
    await runs.follow(run) {
      let watch = LoopActor.task {
        await writer.untilClientIsGone()
        if writer.isClientGone { run.abandon() }
      }
      await run.run()
      watch.cancel()
    }
  }

  private func context(for body: RequestFields) async throws -> Context {
    let identifier = try body.text("context_id")
    let language = try body.text("language")
    guard let identifier else { return try await contexts.defaultContext(for: language) }
    guard language == nil else {
      throw HTTPFailure(400, "Only one of `context_id` and `language` can be given")
    }
    return try contexts.context(identifier)
  }

  private static func variables(_ body: RequestFields) throws -> [(name: String, value: String)] {
    let variables = try body.strings("env_vars") ?? []
    for (name, value) in variables {
      if name.isEmpty {
        throw HTTPFailure(422, "`env_vars` has an empty name; names should have a character")
      }
      if name.utf8.contains(UInt8(ascii: "=")) {
        throw HTTPFailure(422, "`env_vars.\(name)` should have no `=` in its name")
      }
      if name.utf8.contains(0) || value.utf8.contains(0) {
        throw HTTPFailure(422, "`env_vars.\(name)` should have no NUL in its name or value")
      }
    }
    return variables
  }

  private static func environment(
    _ variables: [(name: String, value: String)], in context: Context
  ) throws -> ExecutionEnvironment? {
    if variables.isEmpty { return nil }
    guard let environment = ExecutionEnvironment(variables, language: context.spec.language) else {
      throw HTTPFailure(400, "`env_vars` of these names cannot be set in a \(context.language) kernel")
    }
    return environment
  }
}
