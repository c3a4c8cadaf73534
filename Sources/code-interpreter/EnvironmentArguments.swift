import FoundationEssentials

/// Options from the environment: `CODE_INTERPRETER_MAX_BODY=1000` stands for `--max-body 1000`.
enum EnvironmentArguments {
  /// What the names of all our variables begin with.
  static let prefix = "CODE_INTERPRETER_"
  /// The options that may be given several times; in the environment their values stand on lines of their own.
  private static let repeated: Set<String> = ["kernel-env", "allowed-host"]
  /// Those of them whose values may also stand behind commas, which they cannot hold.
  private static let separatedByCommas: Set<String> = ["allowed-host"]
  private static let options = [
    "host", "port", "workspace", "python-environment", "backend", "warm", "jupyter-url", "jupyter-token",
    "jupyter-ca", "preload", "zeromq", "max-message",
    "max-unread-output", "kernel-env", "max-contexts", "max-queued", "max-body", "write-timeout",
    "max-connections", "allowed-host", "grace", "log-level", "log-format",
  ]

  /// Those for which nothing is a value too.
  private static let emptyable: Set<String> = ["preload"]
  /// Those that have no value: `true` or `1` stands for the option.
  private static let flags = ["no-fork-server"]

  /// Puts the environment's options before those of the command line: of equal options, the last counts.
  static func inserted(
    into arguments: [String], environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> [String] {
    var arguments = arguments
    let hasCommand = arguments.first == "serve"
    if hasCommand { arguments.removeFirst() }
    guard arguments.first?.hasPrefix("-") ?? true else { return arguments }
    return ["serve"] + options.flatMap { values(of: $0, environment) }
      + flags.filter { isSet($0, environment) }.map { "--\($0)" } + arguments
  }

  private static func values(of option: String, _ environment: [String: String]) -> [String] {
    guard let value = environment[name(of: option)], !value.isEmpty || emptyable.contains(option) else {
      return []
    }
    let values = repeated.contains(option) ? list(value, ofOption: option) : [value]
    // A value that begins with a dash must stand behind `=`, and an empty one must not.
    return values.flatMap { $0.isEmpty ? ["--\(option)", ""] : ["--\(option)=\($0)"] }
  }

  private static func list(_ value: String, ofOption option: String) -> [String] {
    guard separatedByCommas.contains(option) else { return value.split(separator: "\n").map(String.init) }
    return value.split { $0 == "\n" || $0 == "," }.map { String($0.filter { !$0.isWhitespace }) }
      .filter { !$0.isEmpty }
  }

  private static func isSet(_ flag: String, _ environment: [String: String]) -> Bool {
    ["1", "true", "yes", "on"].contains(environment[name(of: flag)]?.lowercased())
  }

  /// The variable that stands for `--option`.
  static func name(of option: String) -> String {
    prefix + option.uppercased().replacing("-", with: "_")
  }
}
