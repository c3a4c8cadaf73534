import Jupyter
import Loop
import Memory
import Wire

/// `/contexts`: kernels that clients make, list, restart and delete.
@LoopActor
struct ContextRoutes {
  private static let json: HTTPFields = ["Content-Type": "application/json"]

  let contexts: ContextStore
  let runs: ExecutionRuns
  let workspace: String
  /// How many bytes a request may have.
  let bodyLimit: Int

  func create(_ request: Request, with writer: ResponseWriter) async throws {
    let fields = try await request.jsonFields(limit: bodyLimit, allowsEmpty: true)
    let language = try fields.string("language")
    let directory = try await self.directory(try fields.string("cwd"))
    try runs.admit()
    let context = try await contexts.create(language: language, directory: directory)
    // Nobody would know of it, and it would count against the limit.
    if writer.isClientGone { try await contexts.delete(context.identifier) }
    try await reply(Self.describe(context), with: writer)
  }

  func list(_ request: Request, with writer: ResponseWriter) async throws {
    let list = contexts.all.map(Self.describe).joined(separator: ",")
    try await reply("[\(list)]", with: writer)
  }

  func restart(_ request: Request, with writer: ResponseWriter) async throws {
    try runs.admit()
    try await contexts.restart(request.parameters["id"] ?? "")
    try await reply("null", with: writer)
  }

  func delete(_ request: Request, with writer: ResponseWriter) async throws {
    try await contexts.delete(request.parameters["id"] ?? "")
    try await reply("null", with: writer)
  }

  /// Relative directories are relative to the workspace, as in the file API.
  private func directory(_ asked: String?) async throws -> String? {
    guard let asked, !asked.isEmpty else { return nil }
    guard !asked.utf8.contains(0) else { throw HTTPFailure(400, "`cwd` has a NUL in it") }
    let path = asked.utf8.first == UInt8(ascii: "/") ? asked : "\(workspace)/\(asked)"
    guard contexts.sharesFileSystem else { return path }
    guard (try? await Directory.open(path)) != nil else {
      throw HTTPFailure(400, "Working directory \(asked) does not exist")
    }
    return path
  }

  private static func describe(_ context: Context) -> String {
    let fields = [
      ("id", context.identifier), ("language", context.language), ("cwd", context.directory),
    ]
    return "{" + fields.map { "\"\($0)\":\(JSONString.quote($1))" }.joined(separator: ",") + "}"
  }

  private func reply(_ body: String, with writer: ResponseWriter) async throws {
    try await writer.send(200, fields: Self.json, body: Bytes(body))
  }
}
