import Wire

extension HTTPFailure {
  /// 503 with the advice to try again in a second: the server drains, or its kernels are away.
  static func unavailable(_ message: String) -> HTTPFailure {
    HTTPFailure(503, message, fields: ["Retry-After": "1"])
  }
}
