import ArgumentParser
import Bytes
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
      The token itself. The server removes it from its command line and its environment, but what has started the \
      server may still show it: --token-file is safer.
      """)
  var token: String?

  @Flag(
    help: """
      Let the first client have the server: until somebody has sent POST /claim, all but /health is refused. The answer \
      is the token, which all requests must carry from then on.
      """)
  var claim = false

  func validate() throws {
    let ways = [tokenFile, token, LaunchSecrets.tokenInVariable].count { $0 != nil }
    guard ways == 0 || !claim else {
      throw ValidationError(
        "--claim makes a token itself: leave it out, or --token-file, --token and \(LaunchSecrets.tokenVariable)."
      )
    }
    guard ways <= 1 else {
      throw ValidationError(
        "Give the token in one way: --token-file, --token or \(LaunchSecrets.tokenVariable).")
    }
  }

  /// True if the server will know something that code in its kernels must not.
  var hasSecret: Bool { claim || tokenFile != nil || token != nil || LaunchSecrets.tokenInVariable != nil }

  /// Who may use the server; reads the token.
  /// - Throws: `ValidationError`.
  func policy(logger: Logger) throws -> AccessPolicy {
    if claim { return .claim }
    guard let token = try accessToken(logger: logger) else { return .open }
    if token.isShort {
      logger.warning(
        "the token is so short that it can be guessed",
        metadata: ["recommended": "\(AccessToken.shortestSafe) random characters"])
    }
    return .token(token)
  }

  private func accessToken(logger: Logger) throws -> AccessToken? {
    if let tokenFile { return try Self.token(inFile: tokenFile, logger: logger) }
    let (source, text) =
      token.map { ("--token", $0) } ?? (LaunchSecrets.tokenVariable, LaunchSecrets.tokenInVariable)
    guard let text else { return nil }
    logger.warning(
      "the token may still be seen in what has started the server: --token-file is safer",
      metadata: ["given-as": "\(source)"])
    return try Self.token(in: Bytes(text), from: source)
  }

  private static func token(in text: Bytes, from source: String) throws -> AccessToken {
    do { return try AccessToken(text) } catch { throw ValidationError("\(source): \(error).") }
  }

  private static func token(inFile path: String, logger: Logger) throws -> AccessToken {
    let file: SecretFile
    do {
      // With its line break.
      file = try SecretFile(path, limit: AccessToken.longest + 2)
    } catch {
      throw ValidationError("--token-file \(path) cannot be used: \(error.explanation(for: path)).")
    }
    let token = try Self.token(in: file.content, from: "--token-file \(path)")
    if file.canBeReadAgain {
      logger.notice(
        "the file of the token is not needed any more: remove it, since code that runs here can read it",
        metadata: ["file": "\(path)"])
    }
    return token
  }
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
