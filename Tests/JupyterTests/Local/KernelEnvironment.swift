import Glibc
import Testing

/// The Python environment with ipykernel for tests of real kernels, by CODE_INTERPRETER_PYTHON_ENVIRONMENT.
enum KernelEnvironment {
  private static let prefix = getenv("CODE_INTERPRETER_PYTHON_ENVIRONMENT").map { String(cString: $0) }

  /// Tests of real kernels are skipped where there is no environment for them, but not in CI: there they fail.
  static let isWanted = prefix != nil || getenv("CI") != nil

  static let reason: Comment = "CODE_INTERPRETER_PYTHON_ENVIRONMENT names no environment with ipykernel"

  /// The path of its Python.
  /// - Throws: an expectation failure where there is none.
  static var python: String {
    get throws { "\(try #require(prefix, reason))/bin/python" }
  }
}
