/// An open directory, and files beneath it: nothing that is given to it as a path, no link and no rename by others can
/// lead out of it. Everything that may block happens on libuv's thread pool.
///
/// Errors of paths are `UVError`: `crossesDevice` where one leaves the directory, `noEntry`, `isDirectory`,
/// `notDirectory`, `notAFile` for pipes, sockets and devices, `tooManyLinks`, `nameTooLong`, or what the system says.
@LoopActor
public final class Directory {
  let tree: Tree

  private init(_ tree: Tree) { self.tree = tree }

  /// Opens the directory at `path`, which may be absolute and go through links.
  public static func open(_ path: String) async throws -> Directory {
    Directory(try await Pending { () throws(UVError) in try Tree(path: path) }.value())
  }

  /// Opens a file for reading.
  public func openFile(_ path: RelativePath) async throws -> File {
    let (descriptor, status) = try await Pending { [tree] () throws(UVError) in
      try tree.openFile(path)
    }.value()
    return File(descriptor, status)
  }

  /// What `path` leads to.
  public func status(of path: RelativePath) async throws -> FileStatus {
    try await Pending { [tree] () throws(UVError) in try tree.status(path) }.value()
  }

  /// What the directory at `path` holds: directories first, then by the bytes of the names.
  public func list(_ path: RelativePath) async throws -> [DirectoryEntry] {
    try await SlowLane.run { [tree] () throws(UVError) in try tree.list(path) }
  }

  /// Removes a file, a link (not what it points to) or a directory with all that it holds.
  /// - Throws: `UVError.busy` for this directory itself.
  public func remove(_ path: RelativePath) async throws {
    try await SlowLane.run { [tree] () throws(UVError) in try tree.remove(path) }
  }

  /// Begins a file that will take the place of what is at `path`, or of nothing. A link at the end of the path is
  /// written through.
  public func replaceFile(_ path: RelativePath) async throws -> FileReplacement {
    FileReplacement(
      try await Pending { [tree] () throws(UVError) in try Replacement(tree, path) }.value())
  }
}
