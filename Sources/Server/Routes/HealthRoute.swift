import HTTPServer
import Loop
import Bytes
import Wire

/// `GET /health`: whether executions can be served.
@LoopActor
struct HealthRoute {
  nonisolated static let path: StaticString = "/health"
  private static let fields: HTTPFields = ["Content-Type": "application/json", "Cache-Control": "no-store"]

  let contexts: ContextStore
  let executions: ExecutionStore

  func respond(to request: Request, with writer: ResponseWriter) async throws {
    try executions.admit()
    guard contexts.isReady else {
      throw HTTPErrorResponse.unavailable("The default kernel is not up yet")
    }
    try await writer.send(200, fields: Self.fields, body: "\"OK\"")
  }
}
