/// The most that all processes of one kernel may use together.
public struct ResourceLimits: Sendable, Equatable {
  /// Their memory in bytes, without what they share with the processes of other kernels; nil for any amount.
  public var memory: Int64?
  /// Their number, the kernel's own process included; nil for any number.
  public var processes: Int?

  /// No limits, or these.
  public init(memory: Int64? = nil, processes: Int? = nil) {
    self.memory = memory
    self.processes = processes
  }

  /// True if anything is limited.
  public var isAny: Bool { memory != nil || processes != nil }

  /// Why a kernel that uses so much is ended; nil if it may go on.
  func excess(of usage: ProcessUsage) -> String? {
    if let memory, usage.memory > memory { return memoryExcess }
    return excess(ofProcesses: usage.processes)
  }

  /// Why a kernel without memory is ended; nil if its memory is not limited.
  var memoryExcess: String? { memory.map { "over the memory limit of \(Self.size($0))" } }

  /// The same for the number of processes alone.
  func excess(ofProcesses count: Int) -> String? {
    guard let processes, count > processes else { return nil }
    return "over the process limit of \(processes)"
  }

  /// `512 MiB`, or the bytes where that is no whole number.
  private static func size(_ bytes: Int64) -> String {
    bytes % (1 << 20) == 0 ? "\(bytes >> 20) MiB" : "\(bytes) bytes"
  }
}

/// How the limits of a kernel's resources are enforced.
public enum LimitMethod: String, Sendable, CaseIterable {
  /// A control group: the system refuses processes beyond the limit, and ends a process when there is no memory left.
  case cgroup
  /// The system refuses memory beyond the limit (`RLIMIT_DATA`): Python raises `MemoryError`, and the context lives.
  case rlimit
  /// Its processes are looked at twice a second, and ended if they are above.
  case watch
}
