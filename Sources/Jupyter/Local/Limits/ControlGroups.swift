import Loop

/// The control groups (cgroups(7)) that this process may make: one for each limited kernel.
///
/// Version 1 has a hierarchy for each controller (https://docs.kernel.org/admin-guide/cgroup-v1/cgroups.html), version 2 has one for
/// all (https://docs.kernel.org/admin-guide/cgroup-v2.html).
public struct ControlGroups: Sendable, Equatable {
  /// What limits a resource.
  enum Controller: String, CaseIterable { case memory, pids }

  /// A directory in which groups can be made.
  struct Parent: Sendable, Equatable {
    let path: String
    let isVersion1: Bool
  }

  /// Where groups can be made, for each controller that this process may use.
  let parents: [Controller: Parent]

  /// None.
  public static let none = ControlGroups(parents: [:])

  /// True if memory can be limited.
  public var limitMemory: Bool { parents[.memory] != nil }
  /// True if the number of processes can be limited.
  public var limitProcesses: Bool { parents[.pids] != nil }
}

// MARK: Finding

extension ControlGroups {
  /// Finds them, and changes nothing. Blocks for a short time.
  public static func find() -> ControlGroups {
    find(ownGroups: SmallFile.readProcFile("/proc/self/cgroup") ?? [], root: "/sys/fs/cgroup")
  }

  /// - Parameters:
  ///   - ownGroups: the content of a `/proc/PID/cgroup`.
  ///   - root: where the hierarchies are mounted.
  static func find(ownGroups: [UInt8], root: String) -> ControlGroups {
    var parents: [Controller: Parent] = [:]
    for line in String(decoding: ownGroups, as: UTF8.self).split(separator: "\n") {
      guard let membership = ControlGroupMembership(String(line), root: root) else { continue }
      if membership.isUnified {
        guard let parent = unifiedParent(membership.directories()) else { continue }
        for controller in unifiedControllers(of: parent.path) { parents[controller] = parent }
      } else {
        for controller in membership.controllers.compactMap(Controller.init) {
          let directories = membership.directories(of: controller.rawValue)
          parents[controller] = directories.first(where: SmallFile.exists).flatMap(ownParent)
        }
      }
    }
    return ControlGroups(parents: parents)
  }

  private static func ownParent(_ path: String) -> Parent? {
    let isOurs = SmallFile.isWritable(path) && SmallFile.isWritable("\(path)/cgroup.procs")
    return isOurs ? Parent(path: path, isVersion1: true) : nil
  }

  /// The group of this process.
  private static func unifiedParent(_ directories: [String]) -> Parent? {
    guard let path = directories.first(where: { SmallFile.exists("\($0)/cgroup.controllers") }),
      SmallFile.isWritable(path), SmallFile.isWritable("\(path)/cgroup.subtree_control"),
      isEnabled(in: path) || holdsOnlyThisProcess(path)
    else { return nil }
    return Parent(path: path, isVersion1: false)
  }

  /// Those that are mounted as hierarchies of version 1 are not among them.
  private static func unifiedControllers(of path: String) -> [Controller] {
    let names = words(of: "\(path)/cgroup.controllers")
    return Controller.allCases.filter { names.contains($0.rawValue) }
  }

  /// True if the groups in a group can be limited.
  private static func isEnabled(in path: String) -> Bool {
    words(of: "\(path)/cgroup.subtree_control")
      .isSuperset(of: unifiedControllers(of: path).map(\.rawValue))
  }

  /// A group with processes cannot limit the groups in it (the "no internal process constraint"), so this process has to move into
  /// one of them. Those of others are not ours to move.
  private static func holdsOnlyThisProcess(_ path: String) -> Bool {
    words(of: "\(path)/cgroup.procs") == ["\(CurrentProcess.identifier)"]
  }

  private static func words(of file: String) -> Set<String> {
    let text = String(decoding: SmallFile.readProcFile(file) ?? [], as: UTF8.self)
    return Set(text.split { $0 == " " || $0 == "\n" }.map(String.init))
  }
}

// MARK: Making

extension ControlGroups {
  private static let prefix = "code-interpreter"
  /// The group of this process, beside those of kernels.
  private static let server = "\(prefix).server"

  /// The paths of this process's groups begin with one of these.
  var ownPrefixes: [String] {
    Set(parents.values.map(\.path)).map { "\($0)/\(Self.prefix).\(CurrentProcess.identifier)." }
  }

  /// Makes them usable: moves this process where it has to be, and removes what servers that were killed have left. Blocks.
  ///
  /// - Returns: those that are.
  func prepared() -> ControlGroups {
    let usable = parents.filter { _, parent in parent.isVersion1 || Self.enable(in: parent.path) }
    for path in Set(usable.values.map(\.path)) { Self.removeForgotten(in: path) }
    return ControlGroups(parents: usable)
  }

  private static func enable(in path: String) -> Bool {
    if isEnabled(in: path) { return true }
    do {
      if holdsOnlyThisProcess(path) {
        try SmallFile.makeDirectory("\(path)/\(server)")
        try SmallFile.overwrite("\(path)/\(server)/cgroup.procs", "\(CurrentProcess.identifier)")
      }
      let controllers = unifiedControllers(of: path).map { "+\($0)" }.joined(separator: " ")
      try SmallFile.overwrite("\(path)/cgroup.subtree_control", controllers)
      return true
    } catch {
      return false
    }
  }

  /// Removes the groups of processes that have ended. Those with processes in them stay.
  private static func removeForgotten(in path: String) {
    for name in SmallFile.namesNow(in: path) {
      let parts = name.split(separator: ".")
      guard parts.count == 3, parts[0] == prefix, let process = Int32(parts[1]),
        ProcessEntry(process) == nil
      else { continue }
      try? SmallFile.removeDirectory("\(path)/\(name)")
    }
  }

  /// Makes a group and moves a process into it. Blocks.
  ///
  /// - Parameters:
  ///   - number: no other group of this process has it.
  ///   - memory: the most memory in bytes beyond what the process has now, which stays with the group that it leaves.
  ///   - tasks: the most processes and threads.
  /// - Returns: nil if there is nothing that these groups can limit, or the system refuses.
  func make(_ number: Int, for process: Int32, memory: Int64?, tasks: Int?) -> ControlGroup? {
    var directories: [Controller: String] = [:]
    do {
      for (controller, limit) in [(Controller.memory, memory), (.pids, tasks.map(Int64.init))] {
        guard let limit, let parent = parents[controller] else { continue }
        let path = "\(parent.path)/\(Self.prefix).\(CurrentProcess.identifier).\(number)"
        try SmallFile.makeDirectory(path)
        directories[controller] = path
        for (file, value) in Self.settings(controller, limit, isVersion1: parent.isVersion1) {
          if Self.optionalFiles.contains(file), !SmallFile.exists("\(path)/\(file)") { continue }
          try SmallFile.overwrite("\(path)/\(file)", "\(value)")
        }
      }
      for path in Set(directories.values) { try SmallFile.overwrite("\(path)/cgroup.procs", "\(process)") }
      return directories.isEmpty ? nil : ControlGroup(directories: directories)
    } catch {
      for path in Set(directories.values) { try? SmallFile.removeDirectory(path) }
      return nil
    }
  }

  /// Not every system counts swapped memory.
  private static let optionalFiles: Set = ["memory.memsw.limit_in_bytes", "memory.swap.max"]

  /// The files to write, in this order: memory with swap cannot be limited below memory alone.
  private static func settings(_ controller: Controller, _ limit: Int64, isVersion1: Bool) -> [(
    String, Int64
  )] {
    switch (controller, isVersion1) {
    case (.memory, true): [("memory.limit_in_bytes", limit), ("memory.memsw.limit_in_bytes", limit)]
    case (.memory, false): [("memory.max", limit), ("memory.swap.max", 0)]
    case (.pids, _): [("pids.max", limit)]
    }
  }
}
