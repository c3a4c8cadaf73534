import Loop

/// The command and the variables that a kernel is started with.
struct LaunchPlan: Sendable, Equatable {
  let executable: String
  let arguments: [String]
  /// All of the process's variables.
  let environment: [String: String]

  /// Fills in the placeholders of the kernelspec.
  ///
  /// - Parameters:
  ///   - python: the interpreter that `python` in a kernelspec stands for.
  ///   - environment: variables for the kernel. Those of the kernelspec override them.
  init(
    _ spec: LocalKernelSpec, connectionFile: String, python: PythonInstallation, environment: [String: String]
  ) {
    let values = [
      "connection_file": connectionFile, "resource_dir": spec.resourceDirectory, "prefix": python.prefix,
    ]
    var command = spec.arguments.map { Self.fill($0, with: values) }
    // As Jupyter does, which runs its own interpreter for these names. A path means a certain interpreter.
    if !command[0].utf8.contains(UInt8(ascii: "/")), LocalKernelSpec.isPython(command[0]) {
      command[0] = python.interpreter
    }
    executable = command.removeFirst()
    arguments = command
    var variables = environment
    variables["PYTHONEXECUTABLE"] = nil
    variables["PATH"] = Self.path(variables["PATH"], prefix: python.prefix)
    let known = variables
    for (name, value) in spec.environment { variables[name] = VariableTemplate.fill(value, from: known) }
    self.environment = variables
  }

  private init(_ executable: String, _ arguments: [String], _ environment: [String: String]) {
    self.executable = executable
    self.arguments = arguments
    self.environment = environment
  }

  /// The same by way of a program that takes from itself what the kernel may not reach. It must not use the kernel's variables, by
  /// which a library in the context's directory could be loaded, but have the mark of our processes.
  func isolated(by policy: IsolationPolicy, with python: PythonInstallation) -> LaunchPlan {
    var variables = Dictionary(
      uniqueKeysWithValues: environment.map { (IsolationPolicy.prefix + $0.key, $0.value) })
    variables[IsolationPolicy.variable] = policy.text
    variables[LocalKernel.markName] = environment[LocalKernel.markName]
    return LaunchPlan(
      python.interpreter, ["-I", "-m", IsolationPolicy.launcher, executable] + arguments, variables)
  }

  /// Programs that code calls by name, such as `pip`, are those of the kernel's Python.
  private static func path(_ path: String?, prefix: String) -> String {
    let directory = "\(prefix)/bin"
    guard let path, !path.isEmpty else { return "\(directory):\(ExecutableSearch.defaultPath)" }
    return path.split(separator: ":").contains(Substring(directory)) ? path : "\(directory):\(path)"
  }

  /// Replaces `{name}` by its value; names without a value stay as they are. Works on bytes: in a `String`, a mark that
  /// combines with a brace would hide it, and a kernelspec may hold any number of them.
  static func fill(_ text: String, with values: [String: String]) -> String {
    var result = ""
    var rest = text.utf8[...]
    while let open = rest.firstIndex(of: UInt8(ascii: "{")) {
      result += Substring(rest[..<open])
      let inside = rest[rest.index(after: open)...]
      guard let close = inside.firstIndex(of: UInt8(ascii: "}")),
        let value = values.first(where: { inside[..<close].elementsEqual($0.key.utf8) })?.value
      else {
        result += "{"
        rest = inside
        continue
      }
      result += value
      rest = inside[inside.index(after: close)...]
    }
    return result + Substring(rest)
  }
}

/// The syntax of values in a kernelspec's `env`. It is that of Python's `string.Template`, on which Jupyter calls
/// `safe_substitute`: `$NAME` and `${NAME}` for a variable, `$$` for a dollar sign. Everything else stays as it is.
enum VariableTemplate {
  static func fill(_ text: String, from variables: [String: String]) -> String {
    var result = ""
    var rest = text.utf8[...]
    while let dollar = rest.firstIndex(of: UInt8(ascii: "$")) {
      result += Substring(rest[..<dollar])
      rest = rest[rest.index(after: dollar)...]
      if rest.first == UInt8(ascii: "$") {
        result += "$"
        rest = rest.dropFirst()
      } else if let (name, end) = name(at: rest), let value = variables[name] {
        result += value
        rest = rest[end...]
      } else {
        result += "$"
      }
    }
    return result + Substring(rest)
  }

  /// The ASCII name at the beginning, and where it ends.
  private static func name(at text: Substring.UTF8View) -> (String, Substring.UTF8View.Index)? {
    let isBraced = text.first == UInt8(ascii: "{")
    let start = isBraced ? text.dropFirst() : text
    let name = start.prefix(while: isNamePart)
    guard let first = name.first, !(0x30...0x39).contains(first) else { return nil }
    guard isBraced else { return (String(Substring(name)), name.endIndex) }
    guard name.endIndex < text.endIndex, text[name.endIndex] == UInt8(ascii: "}") else { return nil }
    return (String(Substring(name)), text.index(after: name.endIndex))
  }

  private static func isNamePart(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), 0x30...0x39,
      UInt8(ascii: "_"):
      true
    default: false
    }
  }
}

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
