import Loop

/// What the processes of a kernel use.
public struct ProcessUsage: Sendable, Equatable {
  /// The number of processes.
  public let processes: Int
  /// Their resident memory in bytes. Memory that processes share counts in part for each of them (PSS, proc_pid_smaps(5)), so
  /// that the sum over all contexts is what the system needs for them.
  public let memory: Int64

  init(processes: Int, memory: Int64) {
    self.processes = processes
    self.memory = memory
  }

  /// Reads the memory of these processes. Blocks.
  init(of processes: [Int32]) {
    let memory = processes.compactMap(Self.residentMemory)
    self.processes = memory.count
    self.memory = memory.reduce(0, +)
  }

  /// The proportional resident memory of a process; nil if there is no such process. Where the system does not report it
  /// (before Linux 4.14, or for processes of other users), all resident memory counts.
  private static func residentMemory(of process: Int32) -> Int64? {
    if let rollup = ProcessEntry.memoryFile("smaps_rollup", of: process),
      let kibibytes: Int64 = ProcessEntry.number(behind: "Pss:", in: rollup)
    {
      return kibibytes * 1024
    }
    return wholeResidentMemory(of: process)
  }

  /// All resident memory of a process, also what it shares; nil if there is no such process.
  static func wholeResidentMemory(of process: Int32) -> Int64? {
    guard let numbers = ProcessEntry.memoryFile("statm", of: process),
      let pages = ProcessEntry.number(at: 1, in: numbers)
    else { return nil }
    return pages * CurrentProcess.pageSize
  }

  /// The number of threads of a process; 0 if there is no such process.
  static func threads(of process: Int32) -> Int {
    SmallFile.readProcFile("/proc/\(process)/status").flatMap {
      ProcessEntry.number(behind: "Threads:", in: $0)
    } ?? 0
  }

  /// The private writable memory of a process, whether or not it is resident: what `RLIMIT_DATA` limits.
  static func data(of process: Int32) -> Int64? {
    SmallFile.readProcFile("/proc/\(process)/status").flatMap { status in
      ProcessEntry.number(behind: "VmData:", in: status).map { (kibibytes: Int64) in kibibytes * 1024 }
    }
  }
}
