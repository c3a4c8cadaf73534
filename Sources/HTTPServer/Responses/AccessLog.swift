import Logging
import Loop
import Bytes
import Wire

/// Logs requests. Only the path of a request is logged: queries, bodies and code are private.
@LoopActor
struct AccessLog {
  private let logger: Logger

  init(_ logger: Logger) { self.logger = logger }

  /// Logs a request, or a malformed one, after its response.
  func finished(_ response: ResponseWriter) {
    guard logger.logLevel <= .info else { return }
    let microseconds = (EventLoop.now - response.began) / 1000
    EventLoop.shared.atEndOfTurn { self.write(response, microseconds) }
  }

  private func write(_ response: ResponseWriter, _ microseconds: UInt64) {
    let fraction = String(microseconds % 1000)
    let padding = String(repeating: "0", count: 3 - fraction.utf8.count)
    logger.info(
      "request",
      metadata: [
        "client": "\(response.peerAddress?.plainHost ?? "-")",
        "method": "\(response.head?.method ?? "-")",
        "path": "\(path(response.head))",
        "status": "\(response.status ?? Self.clientClosedRequest)",
        "milliseconds": "\(microseconds / 1000).\(padding)\(fraction)",
        "bytes": "\(response.bodyCount)",
        "request-id": "\(response.id)",
      ])
  }

  func failed(_ error: any Error, _ response: ResponseWriter) {
    logger.error(
      "request failed",
      metadata: [
        "method": "\(response.head?.method ?? "-")", "path": "\(path(response.head))", "error": "\(error)",
        "request-id": "\(response.id)",
      ])
  }

  func stalled(_ response: ResponseWriter?) {
    logger.info(
      "a client read nothing of its response for too long and is disconnected",
      metadata: [
        "method": "\(response?.head?.method ?? "-")", "path": "\(path(response?.head))",
        "request-id": "\(response?.id ?? "-")",
      ])
  }

  /// At debug: port scanners cause many of these, and a client that cannot connect knows why.
  func handshakeFailed(_ reason: String, _ client: SocketAddress?) {
    logger.debug(
      "a TLS handshake failed",
      metadata: ["client": "\(client?.plainHost ?? "-")", "reason": "\(reason)"])
  }

  func missingTLS(_ client: SocketAddress?) {
    logger.debug(
      "a client speaks HTTP without TLS", metadata: ["client": "\(client?.plainHost ?? "-")"])
  }

  func cannotAccept(_ error: any Error) {
    logger.error("cannot accept a connection", metadata: ["error": "\(error)"])
  }

  /// The status that nginx logs for a client that went away before it got a response.
  private static let clientClosedRequest = 499

  /// The path without the query. The parser refuses ASCII control characters. Terminals also obey some non-ASCII ones,
  /// so all of these are encoded.
  private func path(_ head: HTTPRequestHead?) -> String {
    guard let target = head?.target else { return "-" }
    let path = target.prefix(upTo: UInt8(ascii: "?"))
    if path.isASCII { return String(path) }
    return PercentCoding.encode(path, keeping: "!\"$%&'()*+,/:;<=>@[\\]^`{|}")
  }
}
