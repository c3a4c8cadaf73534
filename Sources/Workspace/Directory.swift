public import Loop

/// An open directory and the files beneath it. No path, no link and no rename by another process leads out of it. All
/// calls that may block run on libuv's thread pool.
///
/// Calls with a path throw `UVError`: `crossesDevice` where it leaves the directory, `noEntry`, `isDirectory`,
/// `notDirectory`, `notAFile` for pipes, sockets and devices, `tooManyLinks`, `nameTooLong`, or another error of the
/// system calls.
@LoopActor
public final class Directory {
  /// For calls that may take seconds: syncing a file to disk, listing or removing a large directory. They use at most
  /// half of libuv's four threads, so that reads and writes continue. libuv limits name resolution in the same way.
  static let slowCalls = Semaphore(permits: 2)

  private let tree: Tree

  private init(_ tree: Tree) { self.tree = tree }

  /// Opens the directory at `path`, which may be absolute and may contain links.
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

  /// The status of the file or directory that `path` leads to.
  public func status(of path: RelativePath) async throws -> FileStatus {
    try await Pending { [tree] () throws(UVError) in try tree.status(path) }.value()
  }

  /// The entries of the directory at `path`: directories first, then sorted by the bytes of the names.
  public func list(_ path: RelativePath) async throws -> [DirectoryEntry] {
    try await Self.slowCalls.withPermit {
      try await Pending { [tree] () throws(UVError) in try tree.list(path) }.value()
    }
  }

  /// The identity of what `path` leads to, which need not exist.
  public func place(of path: RelativePath) async throws -> FilePlace {
    try await Pending { [tree] () throws(UVError) in
      try FilePlace(tree.locate(path, acceptsMissingParents: true))
    }.value()
  }

  /// Removes a file, a link (not its target) or a directory with everything in it.
  /// - Throws: `UVError.busy` for this directory itself.
  public func remove(_ path: RelativePath) async throws {
    try await Self.slowCalls.withPermit {
      try await Pending { [tree] () throws(UVError) in try tree.remove(path) }.value()
    }
  }

  /// Begins a new file that takes the place of the one at `path`, if there is one. If the path ends in a link, the link
  /// stays and the file that it leads to is replaced.
  public func replaceFile(_ path: RelativePath) async throws -> FileReplacement {
    FileReplacement(
      try await Pending { [tree] () throws(UVError) in try Replacement(tree, path) }.value())
  }
}
