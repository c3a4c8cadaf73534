import Loop

/// One process in `/proc` (proc_pid_stat(5)).
struct ProcessEntry: Sendable {
  let identifier: Int32
  let parent: Int32
  let session: Int32
  /// The start time in clock ticks since boot. Together with the identifier it identifies the process.
  let start: UInt64
  /// True if its main thread has ended. Others may go on (pthread_exit(3)).
  let mainThreadHasEnded: Bool
  /// True of a process that has ended, with all of its threads, even if its parent has not waited for it yet.
  let hasEnded: Bool
  /// The tag of the process, or of one that it descends from.
  private(set) var tag: ProcessTag?

  /// Reads the entry of a process; nil if there is no such process.
  init?(_ identifier: Int32) {
    guard let stat = SmallFile.readProcFile("/proc/\(identifier)/stat") else { return nil }
    self.init(identifier, stat: stat)
    if !hasEnded { tag = ProcessTag(of: identifier) }
  }

  /// Parses the content of a `/proc/PID/stat`.
  init?(_ identifier: Int32, stat: [UInt8]) {
    // The second field is the name in parentheses, which may contain anything. Fields 3 to 22 follow it.
    guard let name = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
    let fields = stat[(name + 1)...].split(separator: UInt8(ascii: " "), maxSplits: 20)
    guard fields.count > 19, let parent = Self.number(fields[1]), let session = Self.number(fields[3]),
      let start = Self.number(fields[19]), start >= 0
    else { return nil }
    self.identifier = identifier
    self.parent = Int32(truncatingIfNeeded: parent)
    self.session = Int32(truncatingIfNeeded: session)
    self.start = UInt64(start)
    mainThreadHasEnded = fields[0].elementsEqual("Z".utf8) || fields[0].elementsEqual("X".utf8)
    hasEnded = mainThreadHasEnded && Self.number(fields[17]) ?? 0 <= 1
  }

  /// One of the numbers of a line, from 0; nil if there are fewer, or it is none.
  static func number(at index: Int, in line: [UInt8]) -> Int64? {
    let fields = line.split(separator: UInt8(ascii: " "), maxSplits: index + 1)
    return fields.count > index ? number(fields[index]) : nil
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
    Int64(String(decoding: digits, as: UTF8.self))
  }

  /// True if the main thread of a process has ended. A pidfd shows that only after the other threads have ended as
  /// well (pidfd_open(2)). Reads one file of `/proc`, which takes some microseconds.
  static func hasEnded(_ identifier: Int32) -> Bool {
    guard let stat = SmallFile.readProcFile("/proc/\(identifier)/stat") else { return true }
    return ProcessEntry(identifier, stat: stat)?.mainThreadHasEnded ?? true
  }

  /// Reads a file about the memory of a process, by its main thread or, if that has ended, by another one.
  static func memoryFile(_ name: String, of process: Int32) -> [UInt8]? {
    guard let stat = SmallFile.readProcFile("/proc/\(process)/stat"),
      let entry = ProcessEntry(process, stat: stat)
    else { return nil }
    if !entry.mainThreadHasEnded { return SmallFile.readProcFile("/proc/\(process)/\(name)") }
    let other = SmallFile.namesNow(in: "/proc/\(process)/task").first { $0 != "\(process)" }
    return other.flatMap { SmallFile.readProcFile("/proc/\(process)/task/\($0)/\(name)") }
  }

  /// True if `variable`, a `NAME=value`, is in the environment that the process was executed with.
  func hasVariable(_ variable: [UInt8]) -> Bool {
    guard let variables = SmallFile.readProcFile("/proc/\(identifier)/environ") else { return false }
    return variables.split(separator: 0).contains { $0.elementsEqual(variable) }
  }
}

extension ProcessEntry {
  /// The number behind a label at the beginning of a line, as many files of `/proc` have it; nil if there is none.
  static func number<Number: FixedWidthInteger>(behind label: StaticString, in text: [UInt8]) -> Number? {
    label.withUTF8Buffer { label in
      let line = text.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: label) }
      let word = line?.dropFirst(label.count).split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        .first
      return word.flatMap { Number(String(decoding: $0, as: UTF8.self)) }
    }
  }
}

extension ProcessDescriptor {
  /// True if the parent of the process is `parent`, or has ended and this process has adopted the process.
  func isChild(of parent: Int32) -> Bool {
    // The descriptor and the entry belong to the same process only if it has not ended.
    guard let entry = ProcessEntry(identifier), !hasEnded else { return false }
    return entry.parent == parent || entry.parent == CurrentProcess.identifier
  }
}
