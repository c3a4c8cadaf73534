import HTTPServer
import Bytes
import Wire

/// The body of `POST /execute`. What needs the context to be checked is not checked yet.
struct ExecuteRequest: Sendable {
  /// The code: the contents of a JSON string, still escaped.
  let code: Bytes
  let contextIdentifier: Bytes?
  let language: Bytes?
  /// In any order.
  let variables: [(name: String, value: String)]
  /// How many bytes the variables have together.
  let variablesLength: Int

  /// - Throws: `HTTPErrorResponse` 400, 422.
  init(_ body: RequestFields) throws {
    code = try body.requiredContents("code")
    guard !JSONString.hasLoneSurrogate(contents: code) else {
      throw HTTPErrorResponse(422, "`code` should be text, and has half a surrogate pair in it")
    }
    contextIdentifier = try body.text("context_id")
    language = try body.text("language")
    guard contextIdentifier == nil || language == nil else {
      throw HTTPErrorResponse(400, "Only one of context_id or language can be given")
    }
    variables = try Self.variables(body)
    variablesLength = variables.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
  }

  private static func variables(_ body: RequestFields) throws -> [(name: String, value: String)] {
    let variables = try body.strings("env_vars") ?? []
    for (name, value) in variables {
      if name.isEmpty {
        throw HTTPErrorResponse(422, "`env_vars` has an empty name; names should have a character")
      }
      if name.utf8.contains(UInt8(ascii: "=")) {
        throw HTTPErrorResponse(422, "`env_vars.\(name)` should have no `=` in its name")
      }
      if name.utf8.contains(0) || value.utf8.contains(0) {
        throw HTTPErrorResponse(422, "`env_vars.\(name)` should have no NUL in its name or value")
      }
    }
    return variables
  }
}
