public import Wire

/// An error response: one line of `text/plain`. A handler throws it.
public struct HTTPErrorResponse: Error, Sendable, Equatable {
  /// The status, 400 to 599.
  let status: Int
  /// What was wrong and, if possible, the way out; one line.
  let message: String
  /// Fields beyond the usual ones, such as `Allow`.
  let fields: HTTPFields

  /// An error response with `status` and `message`.
  public init(_ status: Int, _ message: String, fields: HTTPFields = HTTPFields()) {
    self.status = status
    self.message = message
    self.fields = fields
  }

  init(_ error: HTTPProtocolError) {
    self =
      error.statusHint == 503
      ? .unavailable(error.message) : HTTPErrorResponse(error.statusHint, error.message)
  }

  /// 503 with `Retry-After`: the client may try again in a second.
  public static func unavailable(_ message: String) -> HTTPErrorResponse {
    HTTPErrorResponse(503, message, fields: ["Retry-After": "1"])
  }
}

extension HTTPErrorResponse: CustomStringConvertible {
  /// What was wrong.
  public var description: String { message }
}

/// The connection is broken or closed. Handlers pass this error on: no response can be sent, and nothing is logged as
/// an error.
struct ClientDisconnected: Error, Sendable {
  /// The error of the connection.
  let cause: any Error

  /// An error that `cause` led to.
  init(cause: any Error) { self.cause = cause }
}
