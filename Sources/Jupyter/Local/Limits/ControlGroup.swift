import Loop

/// The control group of one kernel, and of everything that it starts.
struct ControlGroup: Sendable {
  /// The same directory for all controllers in version 2.
  let directories: [ControlGroups.Controller: String]

  /// How often a removal is tried, and the time between: processes that were killed leave their group when they have given back
  /// their memory.
  private static let removals = 50
  private static let pause: Duration = .milliseconds(4)

  /// True if the system has killed a process of the group for its memory. Blocks for a short time.
  var hasRunOutOfMemory: Bool {
    guard let directory = directories[.memory] else { return false }
    return ["memory.events", "memory.oom_control"].contains { name in
      let file = SmallFile.readProcFile("\(directory)/\(name)")
      let count = file.flatMap { OOMKillCounter.count(in: String(decoding: $0, as: UTF8.self)) }
      return count ?? 0 > 0
    }
  }

  /// Removes the group, whose processes have been killed.
  ///
  /// - Returns: false if processes remain in it.
  @LoopActor
  func remove() async -> Bool {
    for attempt in 1...Self.removals {
      let paths = Set(directories.values)
      let isRemoved = try? await Pending {
        for path in paths { try? SmallFile.removeDirectory(path) }
        return !paths.contains(where: SmallFile.exists)
      }.valueRegardless()
      if isRemoved == true { return true }
      if attempt < Self.removals { try? await EventLoop.sleep(for: Self.pause) }
    }
    return false
  }
}
