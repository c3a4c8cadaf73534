import Loop
import Bytes

/// How often the system has killed a process of our container, or service, because there was no memory left: it says so
/// nowhere else, and to the process that is killed least of all.
struct OOMKillCounter: Sendable {
  /// The file that counts, and the name before the number in it.
  private let path: String?

  /// Finds the control group of this process, of either version.
  ///
  /// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
  @LoopActor
  static func find() async -> OOMKillCounter {
    let groups = String((try? await SmallFile.read("/proc/self/cgroup")) ?? Bytes())
    let candidates = groups.split(separator: "\n").flatMap { Self.candidates(for: String($0)) }
    return OOMKillCounter(path: candidates.first(where: SmallFile.exists))
  }

  /// The number of kills up to now; nil where nobody counts.
  @LoopActor
  func count() async -> Int? {
    guard let path, let text = try? await SmallFile.read(path) else { return nil }
    return Self.count(in: String(text))
  }

  static func count(in text: String) -> Int? {
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ")
      if fields.count == 2, fields[0] == "oom_kill" { return Int(fields[1]) }
    }
    return nil
  }

  /// Where the group of a line of `/proc/self/cgroup` may be found. In a container its path is often not visible, and
  /// the root of what is visible is meant.
  static func candidates(for line: String) -> [String] {
    let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    guard fields.count == 3 else { return [] }
    let path = fields[2] == "/" ? "" : fields[2]
    if fields[1].isEmpty { return [path, ""].map { "/sys/fs/cgroup\($0)/memory.events" } }
    guard fields[1].split(separator: ",").contains("memory") else { return [] }
    return [path, ""].map { "/sys/fs/cgroup/memory\($0)/memory.oom_control" }
  }
}
