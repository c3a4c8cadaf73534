/// The limits of kernel output in memory.
public struct KernelLimits: Sendable {
  /// The longest message with all its parts, in bytes. 256 MiB: the largest results that people show have tens of
  /// megabytes, a third more in base64, and a server with 1 GB of memory can hold one of this length.
  public var maximumMessage = 256 << 20
  /// The limit of unread output in each context whose kernel does not wait for its client, in bytes. 32 MiB: together
  /// with the objects that hold the messages, a context takes at most 64 MiB.
  public var unreadOutput = 32 << 20

  /// The defaults.
  public init() {}
}

/// Output of a kernel that was dropped, because too much waited to be read.
public struct OutputLoss: Sendable, Equatable {
  /// The request that was under way, by its identifier.
  let request: MessageIdentifier
  /// How much may wait, in bytes.
  public let limit: Int
  /// How much was dropped, in bytes of the messages' contents.
  public internal(set) var bytes: Int
}
