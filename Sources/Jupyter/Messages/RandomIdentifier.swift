import FoundationEssentials

/// Unique identifiers that cannot be guessed.
public enum RandomIdentifier {
  /// A random UUID (RFC 9562, version 4) in lower case.
  public static func make() -> String { UUID().uuidString.lowercased() }
}
