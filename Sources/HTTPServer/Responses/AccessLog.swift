import Logging
import Loop
import Bytes
import Wire

/// Tells the log about requests. Never more of one than its path: queries, bodies and the code that is run are nobody
/// else's business.
@LoopActor
struct AccessLog {
  private let logger: Logger

  init(_ logger: Logger) { self.logger = logger }

  /// The line that each request gets, also one that was none. It is written when the client has its answer.
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

  /// A fault of ours.
  func failed(_ error: any Error, _ response: ResponseWriter) {
    logger.error(
      "request failed",
      metadata: [
        "method": "\(response.head?.method ?? "-")", "path": "\(path(response.head))", "error": "\(error)",
        "request-id": "\(response.id)",
      ])
  }

  /// A client that takes nothing of its answer any more.
  func stalled(_ response: ResponseWriter?) {
    logger.info(
      "a client took nothing for too long and counts as gone",
      metadata: [
        "method": "\(response?.head?.method ?? "-")", "path": "\(path(response?.head))",
        "request-id": "\(response?.id ?? "-")",
      ])
  }

  func cannotAccept(_ error: any Error) {
    logger.error("cannot accept a connection", metadata: ["error": "\(error)"])
  }

  /// What is logged for a request whose client went away before it was answered; nginx has the same.
  private static let clientClosedRequest = 499

  /// The path without the query. It holds no ASCII control characters; beyond ASCII there are some that terminals
  /// obey, so all that is encoded.
  private func path(_ head: HTTPRequestHead?) -> String {
    guard let target = head?.target else { return "-" }
    let path = target.prefix(upTo: UInt8(ascii: "?"))
    if path.isASCII { return String(path) }
    return PercentCoding.encode(path, keeping: "!\"$%&'()*+,/:;<=>@[\\]^`{|}")
  }
}

extension SocketAddress {
  /// The address in digits, an IPv4 one as such also where it came to a socket that listens on both protocols
  /// (`::ffff:192.0.2.1`, RFC 4291, 2.5.5.2).
  fileprivate var plainHost: Substring {
    let mapped = "::ffff:"
    guard host.hasPrefix(mapped), host.utf8.contains(UInt8(ascii: ".")) else { return host[...] }
    return host.dropFirst(mapped.count)
  }
}
