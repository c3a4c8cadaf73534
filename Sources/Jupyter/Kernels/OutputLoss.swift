/// What of a kernel's output was dropped, because too much of it waited for its reader.
public struct OutputLoss: Sendable, Equatable {
  /// The request that was under way, by its identifier.
  public let request: MessageIdentifier
  /// How much may wait, in bytes.
  public let limit: Int
  /// How much was dropped, in bytes of the messages' contents.
  public internal(set) var bytes: Int
}
