import HTTPServer
import Logging
import Loop
import Bytes
import Wire

/// Refuses requests whose client may not use the server, before they are routed and before their bodies are read.
@LoopActor
final class AccessControl {
  private static let howToSend =
    "Send it as `Authorization: Bearer TOKEN`, or in `X-Access-Token` or `X-API-Key`"

  private let token: AccessToken
  private let logger: Logger
  private var failures = FailedAttempts()

  init(_ token: AccessToken, logger: Logger) {
    self.token = token
    self.logger = logger
  }

  /// - Throws: `HTTPErrorResponse` 401 without the right token.
  func check(_ request: Request, _ response: ResponseWriter) async throws {
    if request.target.path.isEqual(to: HealthRoute.path) { return }
    let credentials = request.fields.credentials
    if credentials.contains(where: token.matches) { return }
    try await refuse(request, response, hasToken: !credentials.isEmpty)
  }

  /// A wrong token may be a guess, so guesses from one network are answered ever later. A request without a token guesses
  /// nothing.
  private func refuse(_ request: Request, _ response: ResponseWriter, hasToken: Bool) async throws {
    let reason = hasToken ? "a wrong token" : "no token"
    logger.notice(
      "a request is refused",
      metadata: [
        "client": "\(response.peerAddress?.plainHost ?? "-")", "reason": "\(reason)",
        "request-id": "\(request.id)",
      ])
    if hasToken { try await slowDown(response) }
    throw HTTPErrorResponse(
      401, "The request has \(reason). \(Self.howToSend)", fields: ["WWW-Authenticate": "Bearer"])
  }

  private func slowDown(_ response: ResponseWriter) async throws {
    let network = response.peerAddress?.network ?? ""
    switch failures.record(from: network, at: EventLoop.now) {
    case .answer(after: 0): return
    case .answer(let delay):
      defer { failures.endWait(of: network) }
      try await EventLoop.sleep(for: .nanoseconds(delay))
    case .answerAndClose: response.closeConnection()
    }
  }
}
