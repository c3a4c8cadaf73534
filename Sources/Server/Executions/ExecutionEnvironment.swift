import Bytes
import Wire

/// The environment variables of one execution, in the two forms for kernels.
struct ExecutionEnvironment: Sendable {
  /// The feature of kernels that set the variables from the request's metadata and restore them. The kernels in
  /// `kernel/` have it.
  static let feature = "code_interpreter.env_vars"

  /// The metadata of the request for such a kernel: a JSON object.
  let metadata: Bytes
  /// Code that runs around the execution in other kernels.
  let code: EnvironmentCode

  /// - Returns: nil if these variables cannot be set in that language.
  init?(_ variables: [(name: String, value: String)], language: String) {
    guard let code = LanguageSupport.of(language).environmentCode(variables) else { return nil }
    self.code = code
    var json = JSONWriter()
    json.object { json in
      json.key("code_interpreter")
      json.object { json in
        json.key("env_vars")
        json.value(variables)
      }
    }
    metadata = json.takeAll()
  }
}

/// Code that sets environment variables before an execution, and restores them afterwards.
///
/// It runs as silent requests around the user's code, so line numbers, cell magics, `from __future__` and the
/// execution count are unaffected. The old values are kept in the kernel, outside the user's namespace.
struct EnvironmentCode: Sendable {
  /// Sets the variables.
  let set: String
  /// Restores the variables. Idempotent, and harmless before `set`.
  let restore: String
}
