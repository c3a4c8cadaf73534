import ArgumentParser
import Bytes
import FoundationEssentials
import Logging
import Loop
import Server

/// The options for who may use the server.
struct AccessOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      A file with the token that all requests but those to /health must carry. Only its owner may be able to read it. \
      - stands for standard input. It is read once, before any code runs, and may be removed then.
      """, valueName: "file"))
  var tokenFile: String?

  @Option(
    help: """
      The token itself. All users of the machine can read command lines: --token-file is safer.
      """)
  var token: String?

  func validate() throws {
    guard [tokenFile, token, TokenVariable.value].count(where: { $0 != nil }) <= 1 else {
      throw ValidationError(
        "Give the token in one way: --token-file, --token or \(TokenVariable.name).")
    }
  }

  /// Who may use the server; reads the token.
  /// - Throws: `ValidationError`.
  func policy(logger: Logger) throws -> AccessPolicy {
    guard let token = try accessToken() else { return .open }
    if token.isShort {
      logger.warning(
        "the token is so short that it can be guessed",
        metadata: ["recommended": "\(AccessToken.shortestSafe) random characters"])
    }
    return .token(token)
  }

  private func accessToken() throws -> AccessToken? {
    if let tokenFile {
      return try Self.token(in: try Self.read(tokenFile), from: "--token-file \(tokenFile)")
    }
    if let token { return try Self.token(in: Bytes(token), from: "--token") }
    return try TokenVariable.value.map { try Self.token(in: Bytes($0), from: TokenVariable.name) }
  }

  private static func token(in text: Bytes, from source: String) throws -> AccessToken {
    do { return try AccessToken(text) } catch { throw ValidationError("\(source): \(error).") }
  }

  private static func read(_ path: String) throws -> Bytes {
    do {
      // With its line break.
      return try SecretFile.read(path, limit: AccessToken.longest + 2)
    } catch {
      throw ValidationError("--token-file \(path) cannot be used: \(error.explanation(for: path)).")
    }
  }
}

/// The variable that may hold the token. It does not become an argument, as those of other options do: the two ways exclude
/// each other.
enum TokenVariable {
  static let name = EnvironmentArguments.name(of: "token")
  /// nil where it is not set. An empty one is an error: a script may have failed to set it.
  static let value = ProcessInfo.processInfo.environment[name]
}

extension SecretFile.Failure {
  /// In words, with the way out.
  fileprivate func explanation(for path: String) -> String {
    switch self {
    case .readableByOthers: "others than its owner can read it (chmod 600 \(path))"
    case .tooLong: "it has more than \(AccessToken.longest) characters"
    case .unreadable(let error): "\(error)"
    }
  }
}
