public import Loop
import Memory
import Wire

/// The routes that list, read, write and delete what is in the workspace.
@LoopActor
public struct FileRoutes {
  private let workspace: Directory

  /// Routes for all that is beneath `workspace`.
  public init(_ workspace: Directory) { self.workspace = workspace }

  /// Adds them to `router`.
  public func add(to router: inout Router) {
    router.on("GET", "/files", list)
    router.on("GET", "/files/{path...}", read)
    router.on("PUT", "/files/{path...}", write)
    router.on("DELETE", "/files/{path...}", delete)
  }

  @Sendable private func list(_ request: Request, _ response: ResponseWriter) async throws {
    let asked = AskedPath(try request.target.query("path") ?? ".", for: .listing)
    let entries = try await asked.explaining { try await workspace.list(try asked.relative()) }
    let fields: HTTPFields = ["Content-Type": "application/json", "Cache-Control": "no-cache"]
    try await response.send(200, fields: fields, body: FileListing.json(asked.text, entries))
  }

  @Sendable private func read(_ request: Request, _ response: ResponseWriter) async throws {
    let asked = AskedPath(request.parameters["path"] ?? "", for: .reading)
    let file = try await asked.explaining { try await workspace.openFile(try asked.relative()) }
    defer { file.close() }
    try await FileDownload(file, name: asked.text, request).send(by: response)
  }

  @Sendable private func write(_ request: Request, _ response: ResponseWriter) async throws {
    // Whoever sends a part thinks that the rest stays (RFC 9110, 14.5).
    guard request.fields.first("Content-Range") == nil else {
      throw HTTPFailure(400, "A file is written whole: Content-Range is not supported")
    }
    let asked = AskedPath(request.parameters["path"] ?? "", for: .writing)
    // Before the body is asked for: what must not be written need not be sent.
    let upload = try await asked.explaining { try await workspace.replaceFile(try asked.relative()) }
    do {
      while let bytes = try await request.body.next() {
        try await asked.explaining { try await upload.write(bytes) }
      }
      let isNew = try await asked.explaining { try await upload.commit() }
      try await response.send(isNew ? 201 : 200)
    } catch {
      await upload.abandon()
      throw error
    }
  }

  @Sendable private func delete(_ request: Request, _ response: ResponseWriter) async throws {
    let asked = AskedPath(request.parameters["path"] ?? "", for: .deleting)
    try await asked.explaining { try await workspace.remove(try asked.relative()) }
    try await response.send(204)
  }
}
