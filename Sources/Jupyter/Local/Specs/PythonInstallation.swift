import Loop

/// A Python interpreter and its installation, such as a virtual environment.
struct PythonInstallation: Sendable, Equatable {
  /// The path of the interpreter.
  let interpreter: String
  /// The directory that contains the interpreter's `bin`, and `share/jupyter`. Links are not followed: in a virtual
  /// environment the interpreter is a link.
  let prefix: String

  /// - Parameters:
  ///   - python: a path, or a name that is looked up in `PATH`.
  ///   - exists: whether there is a file; for tests.
  init(_ python: String, path: String?, exists: (String) -> Bool = SmallFile.exists) {
    let directories = (path ?? ExecutableSearch.defaultPath).split(separator: ":")
    let candidates = python.contains("/") ? [python] : directories.map { "\($0)/\(python)" }
    interpreter = candidates.first(where: exists) ?? python
    let parts = interpreter.split(separator: "/", omittingEmptySubsequences: false)
    prefix = parts.count > 2 ? parts.dropLast(2).joined(separator: "/") : "/usr"
  }
}
