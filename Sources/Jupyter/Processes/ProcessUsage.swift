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
      let kibibytes = number(after: "Pss:", in: rollup)
    {
      return kibibytes * 1024
    }
    guard let status = SmallFile.readProcFile("/proc/\(process)/status") else { return nil }
    return (number(after: "VmRSS:", in: status) ?? 0) * 1024
  }

  /// The number in the line that begins with `name`.
  static func number(after name: StaticString, in text: [UInt8]) -> Int64? {
    name.withUTF8Buffer { name in
      let line = text.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: name) }
      let digits = line?.dropFirst(name.count).drop { $0 == 0x20 || $0 == 0x09 }
        .prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      return digits.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
    }
  }
}
