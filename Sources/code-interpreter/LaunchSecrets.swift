import Loop

/// Secrets that the program was started with. Other processes can read command lines and, if they are of the same user,
/// variables.
enum LaunchSecrets {
  private static let options = ["token", "jupyter-token"]

  static let tokenVariable = EnvironmentArguments.name(of: "token")
  /// The token in its variable. Unlike other variables it does not become an argument: the two ways exclude each other. An
  /// empty one is an error and not the same as none, since a script may have failed to set it.
  static let tokenInVariable = ProcessSecrets.takeVariable(tokenVariable)

  /// Removes them from the command line and from the environment, of which the program has made its copies by now.
  static func wipe() {
    _ = tokenInVariable
    for option in options { _ = ProcessSecrets.takeVariable(EnvironmentArguments.name(of: option)) }
    ProcessSecrets.wipeArguments(of: options)
  }
}
