import Bytes
import Loop
import TestLoop
import Testing

@testable import Jupyter

@Suite struct ControlGroupsTests {
  /// Makes files with these contents in a directory that the system's hierarchies are looked for in.
  private static func find(_ ownGroups: String, _ files: [String: String]) async throws -> [String:
    ControlGroups.Parent]
  {
    try await TestLoop.run {
      let root = try TemporaryDirectory(prefix: "cgroup-")
      for (path, content) in files {
        let directory = path.split(separator: "/").dropLast().joined(separator: "/")
        try SmallFile.makeDirectory("\(root.path)/\(directory)")
        try await SmallFile.create("\(root.path)/\(path)", Bytes(content))
      }
      let found = ControlGroups.find(ownGroups: Array(ownGroups.utf8), root: root.path)
      await root.remove()
      let parents = found.parents.map { controller, parent in
        (
          controller.rawValue,
          ControlGroups.Parent(
            path: String(parent.path.dropFirst(root.path.count)), isVersion1: parent.isVersion1)
        )
      }
      return Dictionary(uniqueKeysWithValues: parents)
    }
  }

  @Test func `version 1 has a hierarchy for each controller`() async throws {
    let found = try await Self.find(
      "9:cpu:/x\n8:pids:/\n4:memory:/a/b\n0::/\n",
      ["pids/cgroup.procs": "1\n", "memory/a/b/cgroup.procs": "1\n"])
    #expect(
      found == [
        "pids": ControlGroups.Parent(path: "/pids", isVersion1: true),
        "memory": ControlGroups.Parent(path: "/memory/a/b", isVersion1: true),
      ])
  }

  @Test func `a path that is not visible is the root of what is`() async throws {
    let found = try await Self.find("4:memory:/docker/abc\n", ["memory/cgroup.procs": "1\n"])
    #expect(found == ["memory": ControlGroups.Parent(path: "/memory", isVersion1: true)])
  }

  private static func unified(_ controllers: String, enabled: String, processes: String) -> [String: String] {
    [
      "my.service/cgroup.controllers": controllers, "my.service/cgroup.subtree_control": enabled,
      "my.service/cgroup.procs": processes,
    ]
  }

  @Test func `version 2 is used where this process is alone in its group`() async throws {
    let parent = ControlGroups.Parent(path: "/my.service", isVersion1: false)
    let alone = Self.unified("cpu memory pids\n", enabled: "\n", processes: "\(CurrentProcess.identifier)\n")
    #expect(try await Self.find("0::/my.service\n", alone) == ["memory": parent, "pids": parent])
    let enabled = Self.unified("cpu memory pids\n", enabled: "memory pids\n", processes: "")
    #expect(try await Self.find("0::/my.service\n", enabled) == ["memory": parent, "pids": parent])
    let inPart = Self.unified("cpu pids\n", enabled: "\n", processes: "\(CurrentProcess.identifier)\n")
    #expect(try await Self.find("0::/my.service\n", inPart) == ["pids": parent])
  }

  @Test func `version 2 is not used where processes of others are in the group`() async throws {
    let shared = Self.unified("memory pids\n", enabled: "\n", processes: "1\n\(CurrentProcess.identifier)\n")
    #expect(try await Self.find("0::/my.service\n", shared).isEmpty)
  }

  @Test func `nothing is found where there is nothing`() async throws {
    for text in ["", "nonsense\n", "0::/\n", "4:memory:/\n", "x:y\n::\n"] {
      #expect(try await Self.find(text, [:]).isEmpty)
    }
  }
}
