import CUV
import Glibc

extension Tree {
  /// Directories that are emptied inside one another, each with an open descriptor. What lies deeper is moved up first.
  static let maximumRemovalDepth = 32
  /// How often a directory is emptied before it is given up: each time 31 levels deeper, so for 100,000 levels.
  static let maximumSweeps = 4096

  /// Removes what `path` leads to, a directory with all that it holds; a link itself, not what it points to.
  /// - Throws: `UVError` EBUSY for the root itself.
  func remove(_ path: RelativePath) throws(UVError) {
    let location = try locate(path, followsLast: false)
    if location.isRoot { throw UVError.busy }
    if location.status == nil { throw UVError.noEntry }
    try removeName(location.name, in: location.parent)
  }

  private func removeName(_ name: PathName, in parent: Descriptor) throws(UVError) {
    if try unlink(name, in: parent) { return }
    var attempts = 0
    for _ in 1...Self.maximumSweeps where attempts < Self.attempts {
      guard let directory = try openToEmpty(name, in: parent) else { return }
      let movedSome = try empty(directory, into: directory, depth: 1)
      if !movedSome { attempts += 1 }
      if try removeDirectory(name, in: parent) { return }
    }
    throw UVError.notEmpty
  }

  /// Nil where there is nothing to empty any more: somebody was faster, or put a file or a link in its place.
  private func openToEmpty(_ name: PathName, in parent: Descriptor) throws(UVError) -> Descriptor? {
    do {
      return try parent.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    } catch {
      if try unlink(name, in: parent) { return nil }
      throw error
    }
  }

  /// Empties `directory`. Below the greatest depth directories are moved into `top`, which is emptied again until
  /// nothing is left: neither descriptors nor stack grow with the depth of the tree.
  /// - Returns: whether something was moved.
  private func empty(_ directory: Descriptor, into top: Descriptor, depth: Int) throws(UVError) -> Bool {
    var movedSome = false
    for name in try names(in: directory) where try !unlink(name, in: directory) {
      if depth == Self.maximumRemovalDepth {
        try move(name, from: directory, to: top)
        movedSome = true
      } else if let inner = try openToEmpty(name, in: directory) {
        if try empty(inner, into: top, depth: depth + 1) { movedSome = true }
        _ = try removeDirectory(name, in: directory)
      }
    }
    return movedSome
  }

  private func move(_ name: PathName, from directory: Descriptor, to top: Descriptor) throws(UVError) {
    let unique = PathName.unique()
    _ = try retrying {
      name.withPointer { old in
        unique.withPointer { renameat(directory.number, old, top.number, $0) }
      }
    }
  }

  /// True when the name is gone, false when it is a directory.
  private func unlink(_ name: PathName, in parent: Descriptor) throws(UVError) -> Bool {
    do {
      _ = try retrying { name.withPointer { unlinkat(parent.number, $0, 0) } }
      return true
    } catch {
      if error == .noEntry { return true }
      if error == .isDirectory { return false }
      if error == .notPermitted, try parent.status(of: name)?.kind == .directory { return false }
      throw error
    }
  }

  /// False when somebody has put something into it meanwhile, or the moving up of what lay deep has.
  private func removeDirectory(_ name: PathName, in parent: Descriptor) throws(UVError) -> Bool {
    do {
      _ = try retrying { name.withPointer { unlinkat(parent.number, $0, AT_REMOVEDIR) } }
      return true
    } catch {
      if error == .noEntry { return true }
      if error == .notEmpty || error == .exists { return false }
      throw error
    }
  }
}

extension PathName {
  /// A hidden name that nobody else has.
  static func unique() -> PathName {
    let number = UInt64.random(in: .min ... .max)
    return PathName(".code-interpreter-\(String(number, radix: 36))".utf8)
  }
}
