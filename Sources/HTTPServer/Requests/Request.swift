public import Loop
public import Bytes
public import Wire

/// One request.
@LoopActor
public final class Request {
  /// The request's start line and fields.
  public let head: HTTPRequestHead
  /// What it is about.
  public let target: RequestTarget
  /// Names the request in the log, and in the `X-Request-ID` field of its answer.
  public let id: String
  /// Its body.
  public let body: RequestBody
  /// Who sent it; nil for Unix sockets.
  public let peerAddress: SocketAddress?
  /// What stood in the place of the braces in the route's pattern, percent-decoded once: UTF-8 without NUL.
  public internal(set) var parameters: [String: Bytes] = [:]

  init(
    head: HTTPRequestHead, target: RequestTarget, id: String, body: RequestBody, peerAddress: SocketAddress?
  ) {
    self.head = head
    self.target = target
    self.id = id
    self.body = body
    self.peerAddress = peerAddress
  }

  /// The method.
  public var method: String { head.method }

  /// The header fields.
  public var fields: HTTPFields { head.fields }
}
