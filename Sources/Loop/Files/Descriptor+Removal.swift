extension Descriptor {
  /// How many directories are open at once, one inside the other. A directory that is deeper is moved up first.
  private static let maximumRemovalDepth = 32
  /// How often one directory is emptied. Each time removes 31 levels of a deep tree, so this is enough for 100,000.
  private static let maximumSweeps = 4096
  /// How often a directory is emptied again after somebody else has put something into it.
  private static let attempts = 16

  /// Removes whatever has that name in this directory: a file, a link itself, or a directory with everything in it. A
  /// name that does not exist is no error. Blocks.
  public func removeTree(_ name: PathName) throws(UVError) {
    if try unlinkUnlessDirectory(name) { return }
    var attempts = 0
    for _ in 1...Self.maximumSweeps where attempts < Self.attempts {
      guard let directory = try openToEmpty(name) else { return }
      let movedSome = try directory.empty(into: directory, depth: 1)
      if !movedSome { attempts += 1 }
      if try removeDirectoryIfEmpty(name) { return }
    }
    throw UVError.notEmpty
  }

  /// Nil if nothing is left to empty: somebody else has removed it, or has put a file or a link in its place.
  private func openToEmpty(_ name: PathName) throws(UVError) -> Descriptor? {
    do {
      return try openDirectory(name)
    } catch {
      if try unlinkUnlessDirectory(name) { return nil }
      throw error
    }
  }

  /// Empties this directory. Directories below the greatest depth are moved into `top`, which is emptied again until
  /// nothing is left, so that neither the open descriptors nor the stack grow with the depth of the tree.
  /// - Returns: true if something was moved.
  private func empty(into top: Descriptor, depth: Int) throws(UVError) -> Bool {
    var movedSome = false
    for name in try names() where try !unlinkUnlessDirectory(name) {
      if depth == Self.maximumRemovalDepth {
        try rename(name, to: .unique(), in: top)
        movedSome = true
      } else if let inner = try openToEmpty(name) {
        if try inner.empty(into: top, depth: depth + 1) { movedSome = true }
        _ = try removeDirectoryIfEmpty(name)
      }
    }
    return movedSome
  }

  /// True if the name is gone, false if it is a directory.
  private func unlinkUnlessDirectory(_ name: PathName) throws(UVError) -> Bool {
    do {
      try unlink(name)
      return true
    } catch {
      if error == .noEntry { return true }
      if error == .isDirectory { return false }
      // unlink(2): EISDIR is what Linux says of a directory, EPERM is what POSIX prescribes.
      if error == .notPermitted, try status(of: name)?.kind == .directory { return false }
      throw error
    }
  }

  /// False if there is something in it, which somebody else or the moving up of deep directories has put there.
  private func removeDirectoryIfEmpty(_ name: PathName) throws(UVError) -> Bool {
    do {
      try removeDirectory(name)
      return true
    } catch {
      if error == .noEntry { return true }
      if error == .notEmpty || error == .exists { return false }
      throw error
    }
  }
}
