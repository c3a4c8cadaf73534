import HTTPServer
import Logging
import Loop
import Bytes
import Wire

/// `POST /claim`: gives the server to whoever comes first.
@LoopActor
struct ClaimRoute {
  nonisolated static let path: StaticString = "/claim"
  private static let fields: HTTPFields = ["Content-Type": "application/json", "Cache-Control": "no-store"]

  let access: AccessControl
  let logger: Logger

  func respond(to request: Request, with writer: ResponseWriter) async throws {
    guard let token = access.claim() else {
      throw HTTPErrorResponse(404, "This server has been claimed already")
    }
    logger.notice(
      "the server is claimed",
      metadata: ["client": "\(writer.peerAddress?.plainHost ?? "-")", "request-id": "\(request.id)"])
    var json = JSONWriter()
    json.value([(name: "token", value: token)])
    try await writer.send(200, fields: Self.fields, body: json.takeAll())
  }
}
