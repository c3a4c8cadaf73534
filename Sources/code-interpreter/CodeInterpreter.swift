import ArgumentParser

/// The command line.
@main
struct CodeInterpreter: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "code-interpreter",
    abstract: "Runs code in Jupyter kernels and streams back its output.",
    discussion: """
      POST code to /execute and read stdout, rich results and errors as newline-delimited JSON while the code runs. \
      State lasts within a context, as in a notebook. Files are read and written at /files.
      """,
    version: "0.1.0",
    subcommands: [ServeCommand.self, HealthCommand.self, DoctorCommand.self],
    defaultSubcommand: ServeCommand.self)

  /// Options may also be given as environment variables, which the command line overrides.
  static func main() {
    let arguments = EnvironmentArguments.inserted(into: Array(CommandLine.arguments.dropFirst()))
    LaunchSecrets.wipe()
    main(arguments)
  }
}
