import Loop

/// A number that marks a process and everything that it starts, directly or not. It survives a new session, an empty
/// environment and the end of the parents.
///
/// The number is the soft limit of file locks (`RLIMIT_LOCKS`). Linux passes limits on at fork(2), keeps them at
/// execve(2), shows them in `/proc/PID/limits`, and has not enforced this one since 2.4.25 (getrlimit(2)).
struct ProcessTag: Sendable, Hashable {
  let number: UInt64

  init(_ number: UInt64) { self.number = number }

  /// The tag of a process that exists; nil if it has none.
  init?(of process: Int32) {
    if let limit = ProcessLimits.fileLocks(of: process) {
      if limit == UInt64.max { return nil }
      self.init(limit)
    } else {
      // The process belongs to another user. All users may read its limits in /proc.
      guard let limits = SmallFile.readProcFile("/proc/\(process)/limits") else { return nil }
      self.init(limits: limits)
    }
  }

  /// The tag in the content of a `/proc/PID/limits`; nil if there is none.
  init?(limits: [UInt8]) {
    guard let number: UInt64 = ProcessEntry.number(behind: "Max file locks ", in: limits) else { return nil }
    self.number = number
  }

  /// True if both tags are of the same series.
  func isSibling(of other: ProcessTag) -> Bool {
    number / ProcessTagSeries.size == other.number / ProcessTagSeries.size
  }

  /// Tags a process, and with it everything that it starts from now on.
  ///
  /// - Returns: false where the system denies it.
  func apply(to process: Int32) -> Bool { ProcessLimits.setFileLocks(of: process, to: number) }
}

/// The tags of one server: no other series has them, neither in this process nor in another.
struct ProcessTagSeries: Sendable {
  /// More kernels than one server starts.
  static let size: UInt64 = 100_000_000

  private let beginning = UInt64.random(in: 1_000_000_000...9_999_999_999)
  private var count: UInt64 = 0

  /// An extended regular expression for the line of `/proc/PID/limits` that shows a tag of this series.
  var pattern: String { "^Max file locks +\(beginning)[0-9]{8} " }

  mutating func next() -> ProcessTag {
    defer { count += 1 }
    return ProcessTag(beginning * Self.size + count % Self.size)
  }
}
