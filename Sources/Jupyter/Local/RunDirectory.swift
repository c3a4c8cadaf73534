import Loop

/// A directory that only we can enter, for connection files and sockets, and for what kernels write beside their work.
@LoopActor
final class RunDirectory {
  /// Where matplotlib keeps its list of fonts, made when it was installed: to make it takes seconds.
  private static let preparedFonts = "share/code-interpreter/matplotlib"

  /// Short, as its names are: xeus, of which kernels of many languages are made, ends where the path of a Unix socket has
  /// more than 25 bytes.
  let path: String
  /// Tells when a kernel has bound a socket.
  let watcher: DirectoryWatcher
  private let directory: TemporaryDirectory
  private var kernels = 0

  /// - Throws: `UVError`.
  init() throws {
    directory = try TemporaryDirectory(prefix: "ci-")
    path = directory.path
    watcher = try DirectoryWatcher(path)
  }

  /// Variables that keep the workspace free of what nobody asked for.
  var environment: [String: String] {
    ["IPYTHONDIR": "\(path)/ipython", "MPLCONFIGDIR": "\(path)/matplotlib"]
  }

  /// Copies what was prepared at installation.
  func prepare(prefix: String) async {
    let source = "\(prefix)/\(Self.preparedFonts)"
    guard SmallFile.exists(source) else { return }
    let copy = try? ChildProcess.spawn(
      executable: "cp", arguments: ["-R", "--", source, "\(path)/matplotlib"], standardOutput: .null,
      standardError: .null)
    _ = await copy?.exit()
  }

  /// A name within the directory that no kernel has had.
  func nextName() -> String {
    kernels += 1
    return "\(path)/k\(kernels)"
  }

  /// Removes what belongs to the kernel of that name.
  func remove(_ name: String) async {
    let sockets = ConnectionInfo.Port.allCases.map { "\(name)-\($0.rawValue)" }
    await SmallFile.remove(["\(name).json", "\(name)-log"] + sockets)
  }

  /// Watches no more. The reaper removes the directory, when everybody who could write to it is gone.
  func close() { watcher.close() }

  /// Removes it where there is no reaper.
  func remove() async {
    close()
    await directory.remove()
  }
}
