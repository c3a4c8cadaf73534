import Loop

/// A file that is being written and then replaces another in one step, with calls that block. `FileReplacement` runs them
/// on the thread pool.
///
/// The file has no name while it is written: no reader sees half of it, and it vanishes if the process dies. File
/// systems without unnamed files (NFS, some FUSE) get a hidden name next to the target instead.
struct Replacement: Sendable {
  let file: Descriptor
  private let tree: Tree
  private let path: RelativePath
  private let hidden: (directory: Descriptor, name: PathName)?

  /// Creates the file in the deepest directory of the path that exists, which is on the file system of the target.
  /// - Throws: `UVError` where the target is not a file, or is one that we may not write.
  init(_ tree: Tree, _ path: RelativePath) throws(UVError) {
    let location = try tree.locate(path, acceptsMissingParents: true)
    if path.meansDirectory || location.isRoot { throw UVError.isDirectory }
    if location.missingDirectory == nil {
      try location.requireWritableTarget()
    } else if path.names.count > PathWalk.maximumDepth {
      // Otherwise `commit` throws this, after it has made half of the directories.
      throw UVError.nameTooLong
    }
    self.tree = tree
    self.path = path
    if tree.canLinkUnnamedFiles, let unnamed = try location.parent.createUnnamedFile() {
      file = unnamed
      hidden = nil
    } else {
      let name = PathName.unique()
      file = try location.parent.createFile(name)
      hidden = (location.parent, name)
    }
  }

  /// Gives the file its name. The file is on disk when this returns.
  /// - Returns: true if nothing had that name before.
  func commit() throws(UVError) -> Bool {
    if let old = try locateAndMakeParents().status { try file.takePermissions(of: old) }
    try file.synchronise()
    // Another process may have changed the target in the meantime, and may do so again.
    for _ in 1...Tree.attempts {
      let location = try locateAndMakeParents()
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

  /// Removes the hidden name. A file without a name needs nothing: it vanishes when it is closed.
  func abandon() {
    if let hidden { try? hidden.directory.unlink(hidden.name) }
  }

  private func locateAndMakeParents() throws(UVError) -> Location {
    // Each round makes one directory. `PathWalk` limits the depth of what links add.
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

  private func place(at location: Location) throws(UVError) {
    if let hidden {
      try hidden.directory.rename(hidden.name, to: location.name, in: location.parent)
    } else if location.status == nil {
      try file.link(as: location.name, in: location.parent)
    } else {
      // linkat(2) does not replace a file, and renameat(2) needs a name.
      let name = PathName.unique()
      try file.link(as: name, in: location.parent)
      do {
        try location.parent.rename(name, to: location.name, in: location.parent)
      } catch {
        try? location.parent.unlink(name)
        throw error
      }
    }
  }

  /// A directory that we may write but not read cannot be synchronised. The file is complete nonetheless.
  private func synchronise(_ directory: Descriptor) throws(UVError) {
    guard let readable = try? directory.openDirectory(.current) else { return }
    try readable.synchronise()
  }
}

extension UVError {
  /// EXDEV means that a path leaves the root. From rename(2) it means that a file system was mounted in between.
  fileprivate var outsideTheWalk: UVError { self == .crossesDevice ? .busy : self }
}
