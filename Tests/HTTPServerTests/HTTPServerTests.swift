import Bytes
import Loop
import Testing

@testable import HTTPServer

/// The suite of all tests that need the loop. They run one at a time, as each counts the loop's handles.
@Suite(.serialized) enum HTTPServerTests {}

/// A handler that reads the body and answers with its length.
@LoopActor
func count(_ request: Request, _ response: ResponseWriter) async throws {
  var count = 0
  while let piece = try await request.body.next() { count += piece.count }
  try await response.send(200, body: Bytes("\(count)"))
}
