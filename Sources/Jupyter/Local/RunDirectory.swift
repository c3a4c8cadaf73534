import Loop

/// A directory that only this user can enter: for connection files and sockets, and for files that kernels write for
/// themselves.
@LoopActor
final class RunDirectory {
  /// Matplotlib's list of fonts. It is made at installation, because making it takes seconds.
  private static let preparedFonts = "share/code-interpreter/matplotlib"

  /// Short, and so are the names in it: xeus, on which kernels of many languages are built, ends if the path of a Unix socket
  /// has more than 25 bytes.
  let path: String
  private let directory: TemporaryDirectory
  private var kernels = 0

  /// - Throws: `UVError`.
  init() throws {
    directory = try TemporaryDirectory(prefix: "ci-")
    path = directory.path
  }

  /// Variables that keep files of IPython and matplotlib out of the workspace.
  var environment: [String: String] {
    ["IPYTHONDIR": "\(path)/ipython", "MPLCONFIGDIR": "\(path)/matplotlib"]
  }

  /// Copies the list of fonts that was made at installation.
  func prepare(prefix: String) async {
    let source = "\(prefix)/\(Self.preparedFonts)"
    guard SmallFile.exists(source) else { return }
    let copy = try? ChildProcess.spawn(
      executable: "cp", arguments: ["-R", "--", source, "\(path)/matplotlib"], standardOutput: .null,
      standardError: .null)
    _ = await copy?.exit()
  }

  /// Makes a directory for one kernel.
  ///
  /// - Throws: `UVError`, `SystemRequirementError`.
  func makeKernelDirectory() throws -> KernelDirectory {
    kernels += 1
    // An isolated context cannot look into it, but may change its mode (chmod(2) is not governed by Landlock).
    directory.restoreMode()
    return try KernelDirectory("\(path)/\(kernels)")
  }

  /// What isolated kernels may read of it.
  var readable: [String] { ["\(path)/matplotlib"] }

  /// Removes the directory if there is no reaper, which removes it when every process that could write to it is gone.
  func remove() async { await directory.remove() }
}
