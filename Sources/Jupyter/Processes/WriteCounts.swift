import Loop

/// What processes have written, in bytes (proc_pid_io(5)).
struct WriteCounts: Sendable, Equatable {
  /// To files on disks, also by mapped memory.
  private(set) var disk: Int64
  /// By system calls to anything: files on disks and in memory, pipes, sockets.
  private(set) var calls: Int64

  /// Nothing, or this.
  init(disk: Int64 = 0, calls: Int64 = 0) {
    self.disk = disk
    self.calls = calls
  }

  /// Of a process that does not tell.
  static let unknown = WriteCounts(disk: 1 << 20)

  /// What a process has written until now; nil if there is no such process, or it does not tell.
  init?(of process: Int32) {
    guard let counts = SmallFile.readProcFile("/proc/\(process)/io"),
      let disk: Int64 = ProcessEntry.number(behind: "write_bytes:", in: counts),
      let calls: Int64 = ProcessEntry.number(behind: "wchar:", in: counts)
    else { return nil }
    self.init(disk: disk, calls: calls)
  }

  /// True if so many bytes were written to anything.
  func isAtLeast(_ bytes: Int64) -> Bool { max(disk, calls) >= bytes }

  /// Adds what came to `last`.
  mutating func add(_ now: WriteCounts, since last: WriteCounts) {
    disk &+= max(now.disk - last.disk, 0)
    calls &+= max(now.calls - last.calls, 0)
  }
}

extension WriteCounts: Comparable {
  /// What was written to a disk decides: most of the rest is output.
  static func < (left: WriteCounts, right: WriteCounts) -> Bool {
    (left.disk, left.calls) < (right.disk, right.calls)
  }
}
