import Loop

/// The directory of one kernel: its connection file, its sockets, and everything that is its own if it is isolated.
@LoopActor
final class KernelDirectory {
  let path: String
  /// Reports when the kernel has bound a socket.
  let watcher: DirectoryWatcher
  private let directory: TemporaryDirectory

  /// Makes it.
  ///
  /// - Throws: `UVError`, `SystemRequirementError`.
  init(_ path: String) throws {
    directory = try TemporaryDirectory(at: path)
    self.path = path
    watcher = try DirectoryWatcher(path)
  }

  var connectionFile: String { "\(path)/kernel.json" }
  /// For the kernel's own output.
  var log: String { "\(path)/log" }
  /// The paths of the sockets begin with it.
  var socketPrefix: String { "\(path)/s" }

  /// Removes it with everything in it.
  func remove() async {
    watcher.close()
    await directory.remove()
  }
}
