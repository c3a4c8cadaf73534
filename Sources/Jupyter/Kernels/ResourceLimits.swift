/// The most that all processes of one kernel may use together, and its files.
public struct ResourceLimits: Sendable, Equatable {
  /// Their memory in bytes, without what they share with the processes of other kernels; nil for any amount.
  public var memory: Int64?
  /// Their number, the kernel's own process included; nil for any number.
  public var processes: Int?
  /// What the files in its directories may take, in bytes; nil for any amount.
  public var disk: Int64?

  /// No limits, or these.
  public init(memory: Int64? = nil, processes: Int? = nil, disk: Int64? = nil) {
    self.memory = memory
    self.processes = processes
    self.disk = disk
  }

  /// True if anything is limited.
  public var isAny: Bool { memory != nil || processes != nil || disk != nil }

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

  /// The same for files.
  func excess(ofFiles files: FileUsage) -> String? {
    guard let disk else { return nil }
    switch files {
    case .bytes(let bytes): return bytes > disk ? "over the disk limit of \(Self.size(disk))" : nil
    case .countless: return "more files than can be counted for the disk limit of \(Self.size(disk))"
    }
  }

  /// `512 MiB`, or the bytes where that is no whole number.
  private static func size(_ bytes: Int64) -> String {
    bytes % (1 << 30) == 0
      ? "\(bytes >> 30) GiB" : bytes % (1 << 20) == 0 ? "\(bytes >> 20) MiB" : "\(bytes) bytes"
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
