import FoundationEssentials

/// Options from the environment: `CODE_INTERPRETER_MAX_BODY=1000` stands for `--max-body 1000`.
enum EnvironmentArguments {
  private static let prefix = "CODE_INTERPRETER_"
  /// The options that may be given several times; in the environment their values stand on lines of their own.
  private static let repeated: Set<String> = ["kernel-env"]
  private static let options = [
    "host", "port", "workspace", "python-environment", "backend", "warm", "jupyter-url", "jupyter-token",
    "jupyter-ca", "kernel-env", "max-contexts", "max-queued", "max-body", "grace", "log-level", "log-format",
  ]

  /// Puts the environment's options before those of the command line: of equal options, the last counts.
  static func inserted(
    into arguments: [String], environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> [String] {
    var arguments = arguments
    let hasCommand = arguments.first == "serve"
    if hasCommand { arguments.removeFirst() }
    guard arguments.first?.hasPrefix("-") ?? true else { return arguments }
    return ["serve"] + options.flatMap { values(of: $0, environment) } + arguments
  }

  private static func values(of option: String, _ environment: [String: String]) -> [String] {
    let name = prefix + option.uppercased().replacing("-", with: "_")
    guard let value = environment[name], !value.isEmpty else { return [] }
    let values = repeated.contains(option) ? value.split(separator: "\n").map(String.init) : [value]
    return values.map { "--\(option)=\($0)" }
  }
}
