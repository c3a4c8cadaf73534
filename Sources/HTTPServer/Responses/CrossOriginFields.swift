import Bytes
import Wire

/// What lets pages of other sites use the server (CORS, Fetch Standard, "HTTP CORS protocol"). Without `allowedOrigins` there is
/// nothing of it.
enum CrossOriginFields {
  /// The methods of routes.
  private static let methods = "DELETE, GET, HEAD, POST, PUT"
  /// For a browser that does not say which fields it asks for.
  private static let requestFields = "Authorization, Content-Type, X-Access-Token, X-API-Key"
  /// What a page may read of a response, beyond the fields that it always may.
  private static let responseFields = """
    Accept-Ranges, Allow, Content-Length, Content-Range, Date, ETag, Location, Retry-After, WWW-Authenticate, \
    X-E2B-Trace-ID, X-Execution-ID, X-Request-ID
    """
  /// For how many seconds a browser need not ask again; Chromium takes no more.
  private static let maximumAge = "7200"

  /// Fields of every response to a page from `origin`, also of errors; with nil, to others. A cache must not give the
  /// response to the one to the other.
  static func response(to origin: Origin?) -> HTTPFields {
    guard let origin else { return ["Vary": "Origin"] }
    return [
      "Vary": "Origin", "Access-Control-Allow-Origin": "\(origin)",
      "Access-Control-Expose-Headers": responseFields,
    ]
  }

  /// True if a browser asks whether a page may send a request (CORS-preflight request).
  static func isPreflight(_ head: HTTPRequestHead) -> Bool {
    head.method == "OPTIONS" && head.fields.first("Access-Control-Request-Method") != nil
  }

  /// The answer to a preflight from an allowed origin, beyond the fields of `response`. Whether there is such a route, and
  /// whether the request has the token, is said to the request itself: a preflight never carries a token.
  static func preflight(_ request: HTTPFields) -> HTTPFields {
    let asked = request.list("Access-Control-Request-Headers").flatMap { $0.isASCII ? String($0) : nil }
    return [
      "Access-Control-Allow-Methods": methods, "Access-Control-Allow-Headers": asked ?? requestFields,
      "Access-Control-Max-Age": maximumAge,
    ]
  }
}
