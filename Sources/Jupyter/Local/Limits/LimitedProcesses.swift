import Loop

/// The processes of one kernel, and what they may use.
struct LimitedProcesses: Sendable {
  let descendants: Descendants
  let limits: ResourceLimits

  /// The memory of the kernel's process before it ran any code, in bytes; nil where the system does not say.
  let own: Int64?
  /// The kernel's part of the pages that it shares with others, in bytes: with the fork server at least.
  private let shared: Int64
  private var count: Count?
  /// True if a control group limits their number.
  private var isGrouped = false
  /// What each process had written when it was last looked at.
  private var counters: [Int32: WriteCounts] = [:]
  /// What they have written since their files were last counted. Processes that come and go between two looks are missed.
  private(set) var written = WriteCounts()

  /// Reads what the kernel's process uses now, before users' code runs. Blocks.
  init(of process: Int32, _ descendants: Descendants, _ limits: ResourceLimits) {
    self.descendants = descendants
    self.limits = limits
    let memory = SharedMemory(of: process)
    own = memory?.own
    shared = (memory?.shared ?? 0) / 2
  }

  /// What is left to Python when its code has used up its memory, in bytes: it has to report that, and to run the code that gives
  /// memory back. It raises its soft limit up to the hard one then.
  private static let reserve: Int64 = 32 << 20

  /// Has the system refuse memory beyond the limit. Blocks.
  ///
  /// - Returns: false where it does not.
  func limitData(of process: Int32) -> Bool {
    guard let limit = limits.memory, let own, let data = ProcessUsage.data(of: process) else { return false }
    let room = max(limit - own, 0)
    let (hard, isBeyondAll) = data.addingReportingOverflow(room)
    if isBeyondAll { return false }
    return ProcessLimits.setData(of: process, soft: hard - min(Self.reserve, room / 4), hard: hard)
  }

  /// What a group has beyond the limit, in bytes, besides the pages that the kernel may still come to have for itself: for what the system
  /// charges to groups and not to processes, such as tables of pages and the buffers of sockets. Python should get its `MemoryError`
  /// before its group is out of memory; and the watch is exact.
  private static let unseen: Int64 = 32 << 20
  /// OpenBLAS starts a thread for each processor with the first product of matrices, and waits for ever if it cannot.
  private static let threadsOfLibraries = CurrentProcess.processorCount
  /// The system's highest number of tasks (`PID_MAX_LIMIT`).
  private static let mostTasks = 4 << 20

  /// Has the system limit all of them together. Blocks.
  ///
  /// - Returns: nil where it does not.
  mutating func group(in groups: ControlGroups, for process: Int32) -> ControlGroup? {
    let memory = limits.memory.flatMap { limit in
      own.flatMap { own in
        let (room, isBeyondAll) = max(limit - own, 0).addingReportingOverflow(Self.unseen + shared * 2)
        return isBeyondAll ? nil : room
      }
    }
    // Threads count in a group. Those that the kernel has for itself are not the code's.
    let tasks = limits.processes.flatMap { limit in
      limit < Self.mostTasks
        ? limit + max(ProcessUsage.threads(of: process) - 1, 0) + Self.threadsOfLibraries : nil
    }
    let group = groups.make(Int(process), for: process, memory: memory, tasks: tasks)
    isGrouped = group?.directories[.pids] != nil
    return group
  }

  /// Looks at all of them with one search of the process table. Blocks.
  ///
  /// - Returns: for each, why it must end, or nil.
  static func look(at kernels: inout [LimitedProcesses]) -> [String?] {
    let found = Descendants.find(kernels.map(\.descendants))
    return kernels.indices.map { kernels[$0].look(at: found[$0].map(\.identifier)) }
  }

  /// Those that were found at the last look, if their files are limited.
  var identifiers: [Int32] { Array(counters.keys) }

  /// Forgets what has been written: the files are being counted.
  mutating func startCounting() { written = WriteCounts() }

  private mutating func noteWrites(of processes: [Int32]) {
    var seen: [Int32: WriteCounts] = [:]
    for process in processes {
      guard let counts = WriteCounts(of: process) else {
        // One that does not let others look at it (prctl(2), `PR_SET_DUMPABLE`) may have written anything.
        if ProcessEntry(process) != nil { written.add(.unknown, since: WriteCounts()) }
        continue
      }
      seen[process] = counts
      written.add(counts, since: counters[process] ?? WriteCounts())
    }
    counters = seen
  }

  private mutating func look(at processes: [Int32]) -> String? {
    if limits.disk != nil { noteWrites(of: processes) }
    // The system refuses them in a group, which has room for some more.
    if !isGrouped || processes.count > (limits.processes ?? 0) + Self.threadsOfLibraries,
      let excess = limits.excess(ofProcesses: processes.count)
    {
      return excess
    }
    guard let limit = limits.memory else { return nil }
    // All resident pages are more than the processes' part of them, which takes the system a hundred times as long to count.
    let resident = processes.reduce(0) { $0 + (ProcessUsage.wholeResidentMemory(of: $1) ?? 0) }
    guard resident > limit, needsCount(resident, limit) else { return nil }
    let usage = ProcessUsage(of: processes)
    let own = ProcessUsage(processes: usage.processes, memory: usage.memory - shared)
    count = Count(memory: own.memory, resident: resident)
    return limits.excess(of: own)
  }

  /// False while the processes have not grown by half of what was left at the last count. What they had shared then may have become their
  /// own meanwhile, so some looks later it is counted again.
  private mutating func needsCount(_ resident: Int64, _ limit: Int64) -> Bool {
    guard var last = count, last.age < Self.longestAge, resident - last.resident < (limit - last.memory) / 2
    else {
      return true
    }
    last.age += 1
    count = last
    return false
  }

  private static let longestAge = 10

  /// What was found when the processes' part of their pages was last counted, in bytes.
  private struct Count {
    let memory: Int64
    let resident: Int64
    /// The number of looks since then.
    var age = 0
  }
}

/// The resident memory of a process by whether others have it, too (`smaps_rollup`, proc_pid_smaps(5)).
private struct SharedMemory {
  let own: Int64
  let shared: Int64

  init?(of process: Int32) {
    guard let rollup = SmallFile.readProcFile("/proc/\(process)/smaps_rollup"),
      let all: Int64 = ProcessEntry.number(behind: "Rss:", in: rollup),
      let clean: Int64 = ProcessEntry.number(behind: "Private_Clean:", in: rollup),
      let dirty: Int64 = ProcessEntry.number(behind: "Private_Dirty:", in: rollup)
    else { return nil }
    own = (clean + dirty) * 1024
    shared = (all - clean - dirty) * 1024
  }
}
