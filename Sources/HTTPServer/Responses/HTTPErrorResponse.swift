public import Wire

/// A refusal. Thrown by a handler, it becomes the answer: one line of `text/plain`.
public struct HTTPErrorResponse: Error, Sendable, Equatable {
  /// The status, 400 to 599.
  public let status: Int
  /// What was wrong and, where there is one, the way out; one line.
  public let message: String
  /// Fields that the answer has beyond the usual ones, such as `Allow`.
  public let fields: HTTPFields

  /// A refusal with `status` and what to tell the client.
  public init(_ status: Int, _ message: String, fields: HTTPFields = HTTPFields()) {
    self.status = status
    self.message = message
    self.fields = fields
  }

  init(_ error: HTTPProtocolError) { self.init(error.statusHint, error.message) }

  /// 503 with the advice to try again in a second: the server drains, or its kernels are away.
  public static func unavailable(_ message: String) -> HTTPErrorResponse {
    HTTPErrorResponse(503, message, fields: ["Retry-After": "1"])
  }
}

extension HTTPErrorResponse: CustomStringConvertible {
  /// What was wrong.
  public var description: String { message }
}

/// The client is not there any more, so nothing can be read from it or written to it. For handlers to pass on: it is
/// nobody's fault and has no answer.
public struct ClientIsGone: Error, Sendable {
  /// What the connection said.
  public let cause: any Error

  /// An error that `cause` led to.
  public init(cause: any Error) { self.cause = cause }
}
