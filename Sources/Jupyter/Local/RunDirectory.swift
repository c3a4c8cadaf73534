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
  /// Reports when a kernel has bound a socket.
  let watcher: DirectoryWatcher
  private let directory: TemporaryDirectory
  private var kernels = 0

  /// - Throws: `UVError`.
  init() throws {
    directory = try TemporaryDirectory(prefix: "ci-")
    path = directory.path
    watcher = try DirectoryWatcher(path)
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

  /// A path in the directory that no kernel has used. The names of a kernel's files begin with it.
  func nextName() -> String {
    kernels += 1
    return "\(path)/k\(kernels)"
  }

  /// Removes the files whose names begin with `name`.
  func remove(_ name: String) async {
    let sockets = ConnectionInfo.Port.allCases.map { "\(name)-\($0.rawValue)" }
    await SmallFile.remove(["\(name).json", "\(name)-log"] + sockets)
  }

  /// Stops watching. The reaper removes the directory when every process that could write to it is gone.
  func close() { watcher.close() }

  /// Removes the directory if there is no reaper.
  func remove() async {
    close()
    await directory.remove()
  }
}
