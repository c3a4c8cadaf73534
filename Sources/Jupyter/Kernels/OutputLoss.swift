/// Output of a kernel that was dropped, because too much waited to be read.
public struct OutputLoss: Sendable, Equatable {
  /// The request that was under way, by its identifier.
  public let request: MessageIdentifier
  /// How much may wait, in bytes.
  public let limit: Int
  /// How much was dropped, in bytes of the messages' contents.
  public internal(set) var bytes: Int
}
