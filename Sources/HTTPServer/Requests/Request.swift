public import Loop
public import Bytes
public import Wire

/// One request.
@LoopActor
public final class Request {
  /// The start line and fields.
  let head: HTTPRequestHead
  /// The parsed request target.
  public let target: RequestTarget
  /// Names the request in the log, and in the `X-Request-ID` field of its response.
  public let id: String
  /// The body.
  public let body: RequestBody
  /// The parts of the path that match names of the route's pattern, percent-decoded once: UTF-8 without NUL.
  public internal(set) var parameters: [String: Bytes] = [:]

  init(head: HTTPRequestHead, target: RequestTarget, id: String, body: RequestBody) {
    self.head = head
    self.target = target
    self.id = id
    self.body = body
  }

  /// The method.
  public var method: String { head.method }

  /// The header fields.
  public var fields: HTTPFields { head.fields }
}
