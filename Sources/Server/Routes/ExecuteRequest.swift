import HTTPServer
import Bytes
import Wire

/// The body of `POST /execute` and of `POST /executions`. What needs the context to be checked is not checked yet.
struct ExecuteRequest: Sendable {
  /// What becomes of the code when nobody reads its output any more.
  enum Disconnection: String, CaseIterable {
    case interrupt
    case `continue`
  }

  /// The most characters of an identifier that a client gives.
  static let longestIdentifier = 64
  /// Longer ones are taken for this, a year, in seconds.
  private static let longestTimeout = 31_536_000.0

  /// The code: the contents of a JSON string, still escaped.
  let code: Bytes
  let contextIdentifier: Bytes?
  let language: Bytes?
  /// The size of the body, in bytes.
  let size: Int
  /// In any order.
  let variables: [(name: String, value: String)]
  /// The size of all variables, in bytes.
  let variablesLength: Int
  /// How long the code may run; nil for any time.
  let timeout: Duration?
  /// how many bytes of output are sent; nil for all.
  let outputLimit: Int?
  /// Where the code gets its input.
  let input: ExecutionInput
  let onDisconnect: Disconnection
  /// The client's own name for the execution; nil if it has none.
  let identifier: String?
  /// The body as it was sent; empty if there is no `identifier`.
  let body: Bytes

  /// True if the execution may outlive its client, or be asked for again.
  var keepsLines: Bool { identifier != nil || onDisconnect == .continue }

  /// - Parameter defaults: what holds where the client says nothing.
  /// - Throws: `HTTPErrorResponse` 400, 422.
  init(_ body: RequestFields, defaults: ExecutionOptions = ExecutionOptions()) throws {
    size = body.bytes.count
    code = try body.requiredContents("code")
    guard !JSONString.hasLoneSurrogate(contents: code) else {
      throw HTTPErrorResponse(422, "`code` should be text, but contains a lone surrogate")
    }
    contextIdentifier = try body.text("context_id")
    language = try body.text("language")
    guard contextIdentifier == nil || language == nil else {
      throw HTTPErrorResponse(400, "Only one of context_id or language can be given")
    }
    variables = try body.environment("env_vars")
    variablesLength = variables.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
    timeout =
      try body.positiveNumber("timeout").map { .seconds(min($0, Self.longestTimeout)) } ?? defaults.timeout
    outputLimit = try body.positiveInteger("max_output") ?? defaults.outputLimit
    input = try Self.input(body)
    onDisconnect = try body.choice("on_disconnect") ?? .interrupt
    identifier = try body.text("execution_id").map(Self.identifier)
    self.body = identifier == nil ? Bytes() : body.bytes
  }

  private static func input(_ body: RequestFields) throws -> ExecutionInput {
    let asksClient = try body.truth("allow_stdin") ?? false
    guard let text = try body.contents("stdin") else { return asksClient ? .client : .none }
    if asksClient { throw HTTPErrorResponse(422, "`stdin` should be absent where `allow_stdin` is true") }
    return .lines(InputLines(text))
  }

  private static func identifier(_ text: Bytes) throws -> String {
    let isAllowed = text.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
      case UInt8(ascii: "0")...UInt8(ascii: "9"): true
      case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
      default: false
      }
    }
    guard isAllowed, !text.isEmpty, let identifier = text.ascii(atMost: longestIdentifier) else {
      throw HTTPErrorResponse(
        422, "`execution_id` should be 1 to \(longestIdentifier) of the characters A-Z a-z 0-9 . _ -")
    }
    return identifier
  }
}
