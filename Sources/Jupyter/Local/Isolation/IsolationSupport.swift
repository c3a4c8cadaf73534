import Loop

/// What a system can keep kernels from.
public struct IsolationSupport: Sendable {
  /// The first version of Landlock that keeps signals and abstract sockets apart, in Linux 6.12.
  public static let lowestLandlock = 6

  /// What this system can.
  public static let ofThisSystem = IsolationSupport(
    landlock: SystemCallRestrictions.landlockVersion, hasFilters: SystemCallRestrictions.hasFilters)

  /// The version of Landlock; 0 for none.
  public let landlock: Int
  /// True if system calls can be filtered.
  public let hasFilters: Bool

  /// A system that can do that.
  public init(landlock: Int, hasFilters: Bool) {
    self.landlock = landlock
    self.hasFilters = hasFilters
  }

  /// Why nothing can be kept from that; nil if something can.
  public func obstacle(to isolation: KernelIsolation) -> String? {
    guard isolation.isAny else { return nil }
    if !hasFilters { return "this system has no filters of system calls (seccomp)" }
    if isolation.isIsolated, landlock < Self.lowestLandlock {
      let version = landlock == 0 ? "no Landlock" : "version \(landlock) of Landlock"
      return "this system has \(version), and version \(Self.lowestLandlock) is needed (Linux 6.12)"
    }
    return nil
  }

  /// The same for kernels of one kind.
  func obstacle(to isolation: KernelIsolation, for spec: LocalKernelSpec) -> String? {
    guard isolation.isAny else { return nil }
    if let obstacle = obstacle(to: isolation) { return obstacle }
    if spec.sockets == .ports {
      return "kernels of '\(spec.spec.name)' listen on ports of the network, and must keep it"
    }
    if isolation.isIsolated, isolation.hasNetwork, !spec.isOurs {
      return
        "kernels of '\(spec.spec.name)' could connect to the sockets of others: they can be isolated with `network` false only"
    }
    return nil
  }
}
