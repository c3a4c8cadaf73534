/// What a kernel, and everything that it starts, is kept from.
public struct KernelIsolation: Sendable, Hashable {
  /// True if it sees the system read-only, may write only its working directory and one of its own, and can neither see, signal nor
  /// connect to other kernels or this process.
  public var isIsolated: Bool
  /// True if it may have sockets other than Unix ones.
  public var hasNetwork: Bool

  /// Nothing is out of its reach, or that.
  public init(isIsolated: Bool = false, hasNetwork: Bool = true) {
    self.isIsolated = isIsolated
    self.hasNetwork = hasNetwork
  }

  /// True if the server must ask for a token: it is out of the kernel's reach, but its port is not.
  public var needsToken: Bool { isIsolated && hasNetwork }

  /// True if anything is out of its reach.
  public var isAny: Bool { isIsolated || !hasNetwork }
}
