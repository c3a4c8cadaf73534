import Loop

/// An interpreter of Python and the installation that it belongs to, such as a virtual environment.
struct PythonInstallation: Sendable, Equatable {
  /// The path of the interpreter.
  let interpreter: String
  /// What the interpreter's `bin` is in, and `share/jupyter`. Links are not followed: they are how a virtual
  /// environment has its interpreter.
  let prefix: String

  /// - Parameters:
  ///   - python: a path, or a name that is looked for in `PATH`.
  ///   - exists: whether there is a file; for tests.
  init(_ python: String, path: String?, exists: (String) -> Bool = SmallFile.exists) {
    let directories = (path ?? ExecutableSearch.defaultPath).split(separator: ":")
    let candidates = python.contains("/") ? [python] : directories.map { "\($0)/\(python)" }
    interpreter = candidates.first(where: exists) ?? python
    let parts = interpreter.split(separator: "/", omittingEmptySubsequences: false)
    prefix = parts.count > 2 ? parts.dropLast(2).joined(separator: "/") : "/usr"
  }
}
