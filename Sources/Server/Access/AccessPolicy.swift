/// Who may use a server.
public enum AccessPolicy: Sendable {
  /// Whoever reaches it.
  case open
  /// Who sends the token.
  case token(AccessToken)
}
