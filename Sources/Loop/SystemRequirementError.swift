/// The system lacks something that this program needs. The description says what, and what can be done.
public struct SystemRequirementError: Error, Equatable, CustomStringConvertible, Sendable {
  /// The message for a person.
  public let description: String

  /// setpriv(1), which ends a child when its parent ends.
  static let setpriv = SystemRequirementError(
    description: "setpriv, which ends kernels when this program is killed, is not in PATH. Install util-linux"
  )

  /// libzmq cannot be loaded, for a reason of dlopen(3).
  static func libzmq(_ reason: String) -> SystemRequirementError {
    SystemRequirementError(
      description:
        "libzmq, which kernels of other packages are spoken to by, cannot be loaded: \(reason). Install libzmq5"
    )
  }

  /// inotify(7) cannot watch `directory`.
  static func inotify(_ directory: String, _ error: UVError) -> SystemRequirementError {
    let wayOut =
      switch error {
      case .tooManyOpenFiles, .tooManyOpenFilesInSystem:
        ". Raise the limits fs.inotify.max_user_instances (sysctl) and of open files (ulimit -n)"
      case .noSpace: ". Raise the limit fs.inotify.max_user_watches (sysctl)"
      case .notSupported: ". The system has to provide inotify"
      default: ""
      }
    return SystemRequirementError(description: "inotify cannot watch \(directory): \(error)\(wayOut)")
  }
}
