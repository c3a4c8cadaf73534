import ArgumentParser
import FoundationEssentials
import Loop

/// The Python that runs the kernels, and the variables that it runs with.
struct PythonEnvironment {
  /// The path of the interpreter, or a name to be found in `PATH`.
  let interpreter: String
  /// All variables of its process: the inherited ones without those that configure this server. For a virtual environment
  /// also those that activating it would set, so that `!pip` and `%%bash` in a cell run its programs.
  let environment: [String: String]

  /// - Parameter directory: a virtual environment; nil for `.venv` if there is one, else for `python3` from `PATH`.
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

extension String {
  /// The path, made absolute from the current directory.
  var absolutePath: String {
    hasPrefix("/") ? self : "\(FileManager.default.currentDirectoryPath)/\(self)"
  }
}
