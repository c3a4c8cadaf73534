import HTTPServer
import Loop
import Bytes
import Wire

extension Request {
  /// Reads the fields of a JSON body with `read`. A long body is checked and read on another thread.
  ///
  /// Any other media type, or none, is refused: a browser lets forms and scripts of other sites send those without a CORS
  /// preflight, and they must not be able to run code.
  ///
  /// - Parameter allowsEmpty: an absent body counts as `{}`, whatever its type.
  /// - Throws: `HTTPErrorResponse` 400, 413, 415, 422; what `read` throws.
  func json<R: Sendable>(
    limit: Int, allowsEmpty: Bool = false, read: @escaping @Sendable (RequestFields) throws -> R
  ) async throws -> R {
    let isJSON = MediaTypes.isJSON(fields.first("Content-Type"))
    let isEmpty = allowsEmpty && body.length == 0
    if !isJSON, !isEmpty {
      throw HTTPErrorResponse(415, "The body should be JSON, and its Content-Type application/json")
    }
    let bytes = try await body.collect(limit: limit)
    return try await Computation.run(over: bytes.count) {
      try read(RequestFields(bytes, allowsEmpty: allowsEmpty))
    }
  }
}
