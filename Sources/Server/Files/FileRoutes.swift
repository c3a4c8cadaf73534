import HTTPServer
import Loop
import Bytes
import Wire
import Workspace

/// The routes that list, read, write and delete files in the workspace.
@LoopActor
struct FileRoutes {
  private let workspace: Directory
  /// Conditional writes of one file run one after the other, so that each sees the result of the previous one.
  private let locks = FileLocks()

  /// Routes for the files in `workspace`.
  init(_ workspace: Directory) { self.workspace = workspace }

  /// Adds them to `router`.
  func add(to router: inout Router) {
    router.on("GET", "/files", Self.isolating(list))
    router.on("GET", "/files/{path...}", Self.isolating(read))
    router.on("PUT", "/files/{path...}", Self.isolating(write))
    router.on("DELETE", "/files/{path...}", Self.isolating(delete))
  }

  private static func isolating(_ handler: @escaping HTTPServer.Handler) -> HTTPServer.Handler {
    { request, response in
      response.standingFields = .isolation
      try await handler(request, response)
    }
  }

  @Sendable private func list(_ request: Request, _ response: ResponseWriter) async throws {
    let asked = RequestPath(try request.target.query("path") ?? ".", for: .listing)
    let entries = try await asked.explaining { try await workspace.list(try asked.relative()) }
    let fields: HTTPFields = ["Content-Type": "application/json", "Cache-Control": "no-cache"]
    let json = try await Computation.run(over: entries.count * FileListing.usualLength) {
      FileListing.json(asked.text, entries)
    }
    try await response.send(200, fields: fields, body: json)
  }

  @Sendable private func read(_ request: Request, _ response: ResponseWriter) async throws {
    let asked = RequestPath(request.parameters["path"] ?? Bytes(), for: .reading)
    let file = try await asked.explaining { try await workspace.openFile(try asked.relative()) }
    defer { file.close() }
    try await FileDownload(file, name: asked.text, request).send(by: response)
  }

  @Sendable private func write(_ request: Request, _ response: ResponseWriter) async throws {
    // A client that sends a range expects the rest of the file to stay (RFC 9110, 14.5).
    guard request.fields.first("Content-Range") == nil else {
      throw HTTPErrorResponse(400, "A file is written whole: Content-Range is not supported")
    }
    let asked = RequestPath(request.parameters["path"] ?? Bytes(), for: .writing)
    let condition = WriteCondition(request)
    // Before the body is requested: a refused upload need not be sent.
    try await check(condition, asked)
    let upload = try await asked.explaining { try await workspace.replaceFile(try asked.relative()) }
    do {
      while let bytes = try await request.body.next() {
        try await asked.explaining { try await upload.write(bytes) }
      }
      let isNew = try await when(condition, holdsFor: asked) { try await upload.commit() }
      try await response.send(isNew ? 201 : 200)
    } catch {
      await upload.abandon()
      throw error
    }
  }

  @Sendable private func delete(_ request: Request, _ response: ResponseWriter) async throws {
    let asked = RequestPath(request.parameters["path"] ?? Bytes(), for: .deleting)
    try await when(WriteCondition(request), holdsFor: asked) {
      try await workspace.remove(try asked.relative())
    }
    try await response.send(204)
  }

  /// Runs `body` if the file meets the client's condition.
  private func when<R: Sendable>(
    _ condition: WriteCondition, holdsFor asked: RequestPath, _ body: @LoopActor () async throws -> R
  ) async throws -> R {
    if condition.isEmpty { return try await asked.explaining(body) }
    let place = try await lock(asked)
    defer { locks.unlock(place) }
    try await check(condition, asked)
    return try await asked.explaining(body)
  }

  /// Locks the file that the path leads to.
  private func lock(_ asked: RequestPath) async throws -> FilePlace {
    while true {
      let place = try await place(asked)
      try await locks.lock(place)
      do {
        // Earlier writes may have created directories, so the path may now lead further.
        if try await self.place(asked) == place { return place }
      } catch {
        locks.unlock(place)
        throw error
      }
      locks.unlock(place)
    }
  }

  private func place(_ asked: RequestPath) async throws -> FilePlace {
    try await asked.explaining { try await workspace.place(of: asked.relative()) }
  }

  /// - Throws: `HTTPErrorResponse` 412 if the file does not meet the condition.
  private func check(_ condition: WriteCondition, _ asked: RequestPath) async throws {
    if condition.isEmpty { return }
    let status: FileStatus? = try await asked.explaining {
      do {
        return try await workspace.status(of: asked.relative())
      } catch let error as UVError where error == .noEntry {
        return nil
      }
    }
    guard condition.holds(for: status.map(EntityTag.init(of:))) else {
      throw HTTPErrorResponse(
        412, "'\(asked.text)' does not meet If-Match or If-None-Match and was not changed")
    }
  }
}
