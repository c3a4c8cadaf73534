import Loop

/// What the processes of a kernel use.
public struct ProcessUsage: Sendable, Equatable {
  /// The number of processes.
  public let processes: Int
  /// Their resident memory in bytes. Memory that processes share counts in part for each of them (PSS, proc_pid_smaps(5)), so
  /// that the sum over all contexts is what the system needs for them.
  public let memory: Int64

  /// Reads the memory of these processes. Blocks.
  init(of processes: [Int32]) {
    let memory = processes.compactMap(Self.residentMemory)
    self.processes = memory.count
    self.memory = memory.reduce(0, +)
  }

  /// The proportional resident memory of a process; nil if there is no such process. Where the system does not report it
  /// (before Linux 4.14, or for processes of other users), all resident memory counts.
  private static func residentMemory(of process: Int32) -> Int64? {
    if let rollup = SmallFile.readProcFile("/proc/\(process)/smaps_rollup"),
      let kibibytes: Int64 = ProcessEntry.number(behind: "Pss:", in: rollup)
    {
      return kibibytes * 1024
    }
    guard let status = SmallFile.readProcFile("/proc/\(process)/status") else { return nil }
    return (ProcessEntry.number(behind: "VmRSS:", in: status) ?? 0) * 1024
  }
}
