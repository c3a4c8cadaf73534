import Bytes
import Wire

/// The environment variables of one execution, in the two ways in which a kernel can take them.
struct ExecutionEnvironment: Sendable {
  /// The feature of kernels that take the variables from the request's metadata and put back themselves what was there. Ours
  /// have it, those of `kernel/`.
  static let feature = "code_interpreter.env_vars"

  /// The request's metadata for such a kernel: a JSON object.
  let metadata: Bytes
  /// Code that is run around the execution in any other kernel.
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

/// Code that sets environment variables in a kernel before an execution, and puts back afterwards what was there.
///
/// It runs as silent requests around the user's code, never in it. So line numbers, cell magics, `from __future__` and the
/// execution count stay as they are. What was there is kept in the kernel, out of the user's namespace.
struct EnvironmentCode: Sendable {
  /// Sets the variables.
  let set: String
  /// Puts back what was there. Running it twice does no harm, running it too early neither.
  let restore: String
}
