import CUV
import Glibc

/// A file that is being written and then takes the place of another, or of nothing, in one step.
///
/// It has no name while it is written, so that nobody sees half of it and the end of the process at any moment leaves
/// nothing behind. File systems without such files (NFS, some FUSE) get a hidden name beside the target instead.
struct Replacement: Sendable {
  let file: Descriptor
  private let tree: Tree
  private let path: RelativePath
  private let hidden: (directory: Descriptor, name: PathName)?

  /// Opens the new file on the file system of the target, in the deepest of its parents that exists.
  /// - Throws: `UVError` where the target is something else than a file, or a file that must not be written.
  init(_ tree: Tree, _ path: RelativePath) throws(UVError) {
    let location = try tree.locate(path, acceptsMissingParents: true)
    if path.meansDirectory || location.isRoot { throw UVError.isDirectory }
    if location.missingDirectory == nil {
      try location.requireWritableTarget()
    } else if path.names.count > PathWalk.maximumDepth {
      throw UVError.nameTooLong  // now, and not when half of the parents have been made
    }
    self.tree = tree
    self.path = path
    if let unnamed = try Self.openUnnamedFile(in: location.parent, tree) {
      file = unnamed
      hidden = nil
    } else {
      let name = PathName.unique()
      file = try location.parent.open(
        name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: Self.mode)
      hidden = (location.parent, name)
    }
  }

  /// As open(2) makes files; the umask takes its part (0644 commonly).
  private static let mode: mode_t = 0o666

  private static func openUnnamedFile(in parent: Descriptor, _ tree: Tree) throws(UVError) -> Descriptor? {
    guard tree.canNameFilesLater else { return nil }
    do {
      return try parent.open(.here, O_WRONLY | openUnnamed, mode: mode)
    } catch {
      // What file systems and kernels say that do not know of it.
      let unknown: [UVError] = [UVError(systemError: EOPNOTSUPP), .isDirectory, .noEntry, .invalidArgument]
      if unknown.contains(error) { return nil }
      throw error
    }
  }

  /// Puts the file under its name, on the disk when this returns.
  /// - Returns: true where nothing was under that name.
  func commit() throws(UVError) -> Bool {
    var location = try locateAndMakeParents()
    try inheritPermissions(location)
    try file.synchronise()
    // What stands there may have changed while the disk was busy.
    for _ in 1...Tree.attempts {
      location = try locateAndMakeParents()
      do {
        try place(at: location)
        try synchronise(location.parent)
        return location.status == nil
      } catch {
        guard error == .exists || error == .noEntry else { throw error.outsideTheWalk }
      }
    }
    throw UVError.busy
  }

  /// Removes what is there of it. Without a name nothing is to be done: it vanishes when it is closed.
  func abandon() {
    guard let hidden else { return }
    _ = hidden.name.withPointer { unlinkat(hidden.directory.number, $0, 0) }
  }

  private func locateAndMakeParents() throws(UVError) -> Location {
    // Each turn makes one directory; the walk has a limit of its own for how deep that may go.
    for _ in 0..<(path.names.count + PathWalk.maximumDepth) {
      let location = try tree.locate(path, acceptsMissingParents: true)
      guard let directory = location.missingDirectory else {
        try location.requireWritableTarget()
        return location
      }
      try location.parent.makeDirectory(directory)
      try synchronise(location.parent)
    }
    throw UVError.nameTooLong
  }

  private func inheritPermissions(_ location: Location) throws(UVError) {
    guard let old = location.status else { return }
    _ = try retrying { fchmod(file.number, old.permissions) }
    // Only root may give files away. For others it stays theirs, as it must.
    _ = fchown(file.number, old.owner, old.group)
  }

  private func place(at location: Location) throws(UVError) {
    if let hidden {
      try rename(hidden.name, in: hidden.directory, to: location)
    } else if location.status == nil {
      try link(location.name, in: location.parent)
    } else {
      let name = PathName.unique()
      try link(name, in: location.parent)
      do {
        try rename(name, in: location.parent, to: location)
      } catch {
        _ = name.withPointer { unlinkat(location.parent.number, $0, 0) }
        throw error
      }
    }
  }

  private func link(_ name: PathName, in directory: Descriptor) throws(UVError) {
    _ = try retrying {
      name.withPointer {
        linkat(AT_FDCWD, "/proc/self/fd/\(file.number)", directory.number, $0, AT_SYMLINK_FOLLOW)
      }
    }
  }

  private func rename(
    _ name: PathName, in directory: Descriptor, to location: Location
  ) throws(UVError) {
    _ = try retrying {
      name.withPointer { old in
        location.name.withPointer { renameat(directory.number, old, location.parent.number, $0) }
      }
    }
  }

  /// A directory that may be written but not read can not be synchronised; the file is right all the same.
  private func synchronise(_ directory: Descriptor) throws(UVError) {
    guard let readable = try? directory.open(.here, O_RDONLY | O_DIRECTORY) else { return }
    try readable.synchronise()
  }
}

extension Location {
  /// As open(2) for writing would: a file, or nothing, and one that we may write.
  func requireWritableTarget() throws(UVError) {
    guard let status else { return }
    try status.requireFile()
    _ = try retrying { name.withPointer { faccessat(parent.number, $0, W_OK, AT_EACCESS) } }
  }
}

extension Descriptor {
  /// One that is there already is as good.
  func makeDirectory(_ name: PathName) throws(UVError) {
    do {
      _ = try retrying { name.withPointer { mkdirat(number, $0, 0o777) } }
    } catch {
      guard error == .exists else { throw error }
    }
  }
}

extension UVError {
  /// EXDEV means that a path leaves the root. Where a rename says it, something else was mounted in between.
  fileprivate var outsideTheWalk: UVError { self == .crossesDevice ? .busy : self }
}
