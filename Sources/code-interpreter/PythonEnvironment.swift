import ArgumentParser
import FoundationEssentials
import Loop

/// The Python that runs the kernels, and the variables that it runs with.
struct PythonEnvironment {
  /// The path of the interpreter, or a name to be found in `PATH`.
  let interpreter: String
  /// All variables of its process: ours without those that configure this server, and where it is a virtual
  /// environment, what activating that would set, so that `!pip` and `%%bash` in a cell mean its programs.
  let environment: [String: String]

  /// - Parameter directory: a virtual environment; nil for `.venv` where there is one, else what `PATH` has.
  /// - Throws: `ValidationError` for a directory without Python.
  init(
    _ directory: String?, environment inherited: [String: String] = ProcessInfo.processInfo.environment
  ) throws {
    var environment = inherited.filter { !$0.key.hasPrefix(EnvironmentArguments.prefix) }
    if let prefix = directory?.absolutePath ?? Self.local {
      guard Self.isExecutable("\(prefix)/bin/python") else {
        throw ValidationError("There is no \(prefix)/bin/python; `make setup` makes an environment in .venv.")
      }
      interpreter = "\(prefix)/bin/python"
      environment["VIRTUAL_ENV"] = prefix
      environment["PATH"] = "\(prefix)/bin:\(inherited["PATH"] ?? ExecutableSearch.defaultPath)"
    } else {
      interpreter = "python3"
    }
    self.environment = environment
  }

  private static var local: String? {
    let prefix = ".venv".absolutePath
    return isExecutable("\(prefix)/bin/python") ? prefix : nil
  }

  private static func isExecutable(_ path: String) -> Bool {
    FileManager.default.isExecutableFile(atPath: path)
  }
}
