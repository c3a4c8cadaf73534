import ArgumentParser
import Bytes
import FoundationEssentials
import Wire

/// Options from the environment: `CODE_INTERPRETER_MAX_BODY=1000` stands for `--max-body 1000`.
///
/// The list of options is read from the command's own help, so that none can be forgotten.
enum EnvironmentArguments {
  /// The prefix of all variables' names.
  static let prefix = "CODE_INTERPRETER_"

  /// The repeatable options whose values cannot hold a comma, so that commas may separate them in a variable, too. Values of
  /// other options are on a line each.
  private static let separatedByCommas: Set<String> = ["allowed-host", "allowed-origin"]
  /// The options for which an empty variable is a value. For others it is the same as no variable.
  private static let emptyable: Set<String> = ["preload", "token-file"]
  /// `TokenVariable` has the token's own variable.
  private static let ignored: Set<String> = ["help", "version", "token"]

  /// `arguments`, with the options from `environment` before them: of equal options, the last one counts.
  ///
  /// - Parameter arguments: those of the program, without its name.
  static func inserted(
    into arguments: [String], environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> [String] {
    if arguments.first == "health" {
      return ["health"] + options(sharedWithHealth, in: environment) + arguments.dropFirst()
    }
    let options = arguments.first == "serve" ? Array(arguments.dropFirst()) : arguments
    // Another command has other options.
    guard options.first?.hasPrefix("-") ?? true else { return arguments }
    return ["serve"] + self.options(ServeCommand.options, in: environment) + options
  }

  /// The variable that stands for `--option`.
  static func name(of option: String) -> String {
    // `replacing` would load the engine of regular expressions, 0.25 MiB of it.
    prefix + String(option.uppercased().map { $0 == "-" ? "_" : $0 })
  }

  /// A health check asks the server that was started with the same variables.
  private static let sharedWithHealth = ["host", "port", "tls-certificate"].map {
    CommandOption(name: $0, isFlag: false, isRepeating: false)
  }

  /// - Parameter known: the options of the command. Not computed without a variable.
  private static func options(
    _ known: @autoclosure () -> [CommandOption], in environment: [String: String]
  ) -> [String] {
    guard environment.keys.contains(where: { $0.hasPrefix(prefix) }) else { return [] }
    let known = known()
    return known.flatMap { option -> [String] in
      guard !ignored.contains(option.name), let value = environment[name(of: option.name)] else { return [] }
      if option.isFlag {
        if isTrue(value) { return ["--\(option.name)"] }
        // One that is on by default has a flag that turns it off.
        let inverse = "no-\(option.name)"
        return isFalse(value) && known.contains { $0.name == inverse } ? ["--\(inverse)"] : []
      }
      if value.isEmpty, !emptyable.contains(option.name) { return [] }
      // A value that begins with a dash must follow `=`, and an empty one must not.
      return values(of: option, value).flatMap {
        $0.isEmpty ? ["--\(option.name)", ""] : ["--\(option.name)=\($0)"]
      }
    }
  }

  private static func values(of option: CommandOption, _ value: String) -> [String] {
    if !option.isRepeating { return [value] }
    guard separatedByCommas.contains(option.name) else {
      return value.split(separator: "\n").map(String.init)
    }
    return value.split { $0 == "\n" || $0 == "," }.map { String($0.filter { !$0.isWhitespace }) }
      .filter { !$0.isEmpty }
  }

  private static func isTrue(_ value: String) -> Bool {
    ["1", "true", "yes", "on"].contains(value.lowercased())
  }

  private static func isFalse(_ value: String) -> Bool {
    ["0", "false", "no", "off"].contains(value.lowercased())
  }
}

/// An option or flag of a command.
struct CommandOption: Equatable {
  /// Without dashes.
  let name: String
  let isFlag: Bool
  let isRepeating: Bool
}

extension ParsableCommand {
  /// All options and flags, in the order of `--help`; read from the JSON of `--experimental-dump-help`.
  static var options: [CommandOption] {
    let help = try? JSONSlice.parse(Bytes(_dumpHelp()))
    guard let arguments = help?["command"]?["arguments"]?.elements else { return [] }
    return arguments.compactMap { argument -> CommandOption? in
      guard let name = argument["preferredName"], name["kind"]?.isString("long") == true,
        let text = name["name"]?.text
      else { return nil }
      return CommandOption(
        name: String(text), isFlag: argument["kind"]?.isString("flag") == true,
        isRepeating: argument["isRepeating"]?.bool == true)
    }
  }
}
