/// Who may use a server.
public enum AccessPolicy: Sendable {
  /// Whoever reaches it.
  case open
  /// Who sends the token.
  case token(AccessToken)
  /// Who claims it first, and sends from then on the token that the claim was answered with.
  case claim

  /// True if nobody is asked for a token.
  public var isOpen: Bool { if case .open = self { true } else { false } }
}
