import ArgumentParser
import Jupyter
import Loop

/// `code-interpreter doctor`: what this machine can keep code from.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Tells what this machine can enforce for contexts, what is missing, and how to get it.",
    discussion: "The exit status is 0 if nothing is missing, else 1.")

  /// One thing that contexts can be promised.
  struct Finding: Equatable {
    let name: String
    /// By what it is enforced; nil if it is not.
    let means: String?
    /// What it means, or how to get it.
    let note: String
  }

  func run() throws {
    let findings = Self.findings(
      IsolationSupport.ofThisSystem, ControlGroups.find(), isRoot: CurrentProcess.isRoot)
    for finding in findings {
      let state = finding.means.map { "yes, by \($0)" } ?? "no"
      StandardStream.output.write("\(finding.name): \(state)\n  \(finding.note)\n")
    }
    if findings.contains(where: { $0.means == nil }) { throw ExitCode(1) }
  }

  /// What a system with that support enforces.
  static func findings(_ support: IsolationSupport, _ groups: ControlGroups, isRoot: Bool) -> [Finding] {
    let delegation =
      " A control group would also hold what grows faster: run the server as a service of systemd with Delegate=yes."
    let isIsolating = support.obstacle(to: KernelIsolation(isIsolated: true)) == nil
    let isFiltering = support.obstacle(to: KernelIsolation(hasNetwork: false)) == nil
    return [
      Finding(
        name: "memory_limit",
        means:
          "\(groups.limitMemory ? "a control group, " : "")RLIMIT_DATA and a look at all processes twice a second",
        note: "Python code gets a MemoryError at the limit; what else is above is ended."
          + (groups.limitMemory ? "" : delegation)),
      Finding(
        name: "process_limit",
        means: "\(groups.limitProcesses ? "a control group and " : "")a look at all processes twice a second",
        note: groups.limitProcesses
          ? "Code that starts more processes or threads gets an error."
          : "A context with more processes is ended.\(delegation)"),
      Finding(
        name: "disk_limit", means: "counting the files of what has written something, about once a second",
        note: "A context whose directory has more is ended."),
      Finding(
        name: "isolated", means: isIsolating ? "Landlock \(support.landlock) and seccomp" : nil,
        note: isIsolating
          ? isRoot
            ? "The server runs as root, and so does code: what only root may read in /etc is within its reach. Run it as another user."
            : "Code reaches the files of its context, the system's that everybody may read, and no processes of others."
          : "Linux 6.12 or newer is needed, with Landlock in /sys/kernel/security/lsm (boot with lsm=landlock,...), and a container engine "
            + "that lets landlock_restrict_self(2) and seccomp(2) through, as Docker does."),
      Finding(
        name: "network: false", means: isFiltering ? "seccomp" : nil,
        note: isFiltering
          ? "Code has no sockets but Unix ones."
          : "A kernel with CONFIG_SECCOMP_FILTER is needed, and a container engine that lets seccomp(2) through, as Docker does."
      ),
    ]
  }
}
