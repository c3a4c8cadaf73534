import Bytes
import Wire

/// The environment variables of one execution, and the two ways to give them to a kernel.
struct ExecutionEnvironment: Sendable {
  /// What kernels support that take the variables from the request's metadata, and put back themselves what was there.
  /// Ours do, the launcher in `kernel/`.
  static let feature = "code_interpreter.env_vars"

  /// The request's metadata for such a kernel: a JSON object.
  let metadata: Bytes
  /// What is run around the execution in any other kernel.
  let code: EnvironmentCode

  /// - Returns: nil for a language that we cannot do it in.
  init?(_ variables: [(name: String, value: String)], language: String) {
    guard let code = EnvironmentCode(variables, language: language) else { return nil }
    self.code = code
    let members = variables.map { "\(JSONString.quote($0.name)):\(JSONString.quote($0.value))" }
    metadata = Bytes("{\"code_interpreter\":{\"env_vars\":{\(members.joined(separator: ","))}}}")
  }
}
