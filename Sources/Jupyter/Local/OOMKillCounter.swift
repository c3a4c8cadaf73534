import Loop
import Bytes

/// How often the OOM killer has killed a process of this container or service. The count in the control group is the only
/// report: the exit status says SIGKILL, as for any other kill.
struct OOMKillCounter: Sendable {
  /// The file with the count; nil if there is none.
  private let path: String?

  /// Finds the control group of this process, of version 1 or 2.
  ///
  /// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
  @LoopActor
  static func find() async -> OOMKillCounter {
    let groups = String((try? await SmallFile.read("/proc/self/cgroup")) ?? Bytes())
    let candidates = groups.split(separator: "\n").flatMap { Self.candidates(for: String($0)) }
    return OOMKillCounter(path: candidates.first(where: SmallFile.exists))
  }

  /// The number of kills so far; nil if the system does not count them.
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

  /// The files that may hold the count, for a line of `/proc/self/cgroup`.
  static func candidates(for line: String) -> [String] {
    guard let membership = ControlGroupMembership(line) else { return [] }
    if membership.isUnified { return membership.directories().map { "\($0)/memory.events" } }
    guard membership.controllers.contains("memory") else { return [] }
    return membership.directories(of: "memory").map { "\($0)/memory.oom_control" }
  }
}
