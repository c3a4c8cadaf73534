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

  private enum State {
    /// Nobody has the token, as there is none.
    case unclaimed
    case guarded(by: AccessToken)
  }

  private var state: State
  /// True if there is the route `/claim`.
  let isClaimable: Bool
  private let logger: Logger
  private var failures = FailedAttempts()

  /// nil for a policy that asks nothing of anybody.
  init?(_ policy: AccessPolicy, logger: Logger) {
    switch policy {
    case .open: return nil
    case .token(let token): state = .guarded(by: token)
    case .claim: state = .unclaimed
    }
    if case .claim = policy { isClaimable = true } else { isClaimable = false }
    self.logger = logger
  }

  /// True if requests must have the token: not before the server is claimed.
  var asksForToken: Bool { if case .guarded = state { true } else { false } }

  /// - Throws: `HTTPErrorResponse` 401 without the right token, 403 before the server is claimed.
  func check(_ request: Request, _ response: ResponseWriter) async throws {
    let path = request.target.path
    if path.isEqual(to: HealthRoute.path) { return }
    // Also later: it says then that it is too late.
    if isClaimable, path.isEqual(to: ClaimRoute.path), request.method == "POST" { return }
    guard case .guarded(let token) = state else {
      throw HTTPErrorResponse(
        403,
        "This server is not claimed yet. POST /claim claims it, and answers with the token for all other requests"
      )
    }
    let credentials = request.fields.credentials
    if credentials.contains(where: token.matches) { return }
    try await refuse(request, response, hasToken: !credentials.isEmpty)
  }

  /// Makes the token that requests must carry from now on, once.
  /// - Returns: its text, which is kept nowhere; nil if the server is claimed already.
  func claim() -> String? {
    guard case .unclaimed = state else { return nil }
    let (token, text) = AccessToken.random()
    state = .guarded(by: token)
    return text
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
