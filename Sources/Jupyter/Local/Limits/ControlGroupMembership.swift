/// A line of `/proc/PID/cgroup`: a process's control group in one hierarchy (cgroups(7)).
struct ControlGroupMembership {
  /// Those of the hierarchy; none in that of version 2, which has them all.
  let controllers: [String]
  /// True for the hierarchy of version 2.
  var isUnified: Bool { controllers.isEmpty }
  private let path: String
  private let root: String

  /// - Parameter root: where the hierarchies are mounted.
  init?(_ line: String, root: String = "/sys/fs/cgroup") {
    let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    guard fields.count == 3 else { return nil }
    controllers = fields[1].split(separator: ",").map(String.init)
    path = fields[2] == "/" ? "" : String(fields[2])
    self.root = root
  }

  /// The directories that may be the group's, of one controller in version 1. In a container its path is often not visible: then it is the
  /// root of what is visible.
  func directories(of controller: String? = nil) -> [String] {
    let hierarchy = root + (controller.map { "/\($0)" } ?? "")
    return [hierarchy + path, hierarchy]
  }
}
