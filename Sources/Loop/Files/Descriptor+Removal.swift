extension Descriptor {
  /// The depth to which directories are opened inside each other. Deeper ones are moved up first.
  private static let maximumRemovalDepth = 32
  /// How often one directory is emptied. Each sweep removes 31 levels of a deep tree, so this is enough for 100,000.
  private static let maximumSweeps = 4096
  /// How often a directory is emptied again after another process has added a file.
  private static let attempts = 16

  /// Removes a file, a link itself, or a directory with everything in it. A missing name is not an error. Blocks.
  ///
  /// - Parameter takesRights: true if directories that deny this user access are given another mode first.
  public func removeTree(_ name: PathName, takingRights takesRights: Bool = false) throws(UVError) {
    if try unlinkUnlessDirectory(name) { return }
    var attempts = 0
    for _ in 1...Self.maximumSweeps where attempts < Self.attempts {
      guard let directory = try openToEmpty(name, takesRights) else { return }
      let movedSome = try directory.empty(into: directory, depth: 1, takesRights)
      if !movedSome { attempts += 1 }
      if try removeDirectoryIfEmpty(name) { return }
    }
    throw UVError.notEmpty
  }

  /// Nil if there is no directory to empty: another process has removed it, or has put a file or a link in its place.
  private func openToEmpty(_ name: PathName, _ takesRights: Bool) throws(UVError) -> Descriptor? {
    do {
      if takesRights, try status(of: name)?.kind == .directory { try setMode(of: name, to: 0o700) }
      return try openDirectory(name)
    } catch {
      if try unlinkUnlessDirectory(name) { return nil }
      throw error
    }
  }

  /// Empties this directory. Directories below the greatest depth are moved into `top`, which is emptied again until
  /// nothing is left, so that neither the open descriptors nor the stack grow with the depth of the tree.
  /// - Returns: true if something was moved.
  private func empty(into top: Descriptor, depth: Int, _ takesRights: Bool) throws(UVError) -> Bool {
    var movedSome = false
    for name in try names() where try !unlinkUnlessDirectory(name) {
      if depth == Self.maximumRemovalDepth {
        try rename(name, to: .unique(), in: top)
        movedSome = true
      } else if let inner = try openToEmpty(name, takesRights) {
        if try inner.empty(into: top, depth: depth + 1, takesRights) { movedSome = true }
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
      // unlink(2) of a directory fails with EISDIR on Linux, and with EPERM in POSIX.
      if error == .notPermitted, try status(of: name)?.kind == .directory { return false }
      throw error
    }
  }

  /// False if it is not empty: another process, or the moving up of deep directories, has added something.
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
