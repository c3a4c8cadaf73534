/// How much kernel output is held in memory.
public struct KernelLimits: Sendable {
  /// How long one message may be, in bytes, with all its parts. 256 MiB: the largest results that people show have some
  /// tens of megabytes, a third more in base64, and a server of one gigabyte can hold one of this length.
  public var maximumMessage = 256 << 20
  /// How many bytes of output may wait for a client that reads slowly, in each context whose kernel does not wait itself.
  /// 32 MiB: with what holds the messages, no context takes more than 64 MiB.
  public var unreadOutput = 32 << 20

  /// The defaults.
  public init() {}
}
