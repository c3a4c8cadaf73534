import Loop

/// A directory and everything beneath it, with calls that block. `Directory` runs them on the thread pool.
struct Tree: Sendable {
  /// How often a path is looked up again if another process has changed it before its use.
  static let attempts = 16

  let root: Descriptor
  /// The names of the root in absolute links: its path as it was given, and its real path.
  private let rootNames: [[PathName]]
  private let realRootName: [PathName]
  /// False if a replacement needs a hidden name while it is written.
  var canLinkUnnamedFiles = Descriptor.canLinkUnnamedFiles

  /// - Throws: `UVError` where `path` is not a directory that can be opened.
  init(path: String) throws(UVError) {
    root = try Descriptor.openDirectory(path: path)
    let real = SmallFile.realPath(path) ?? path
    realRootName = RelativePath(parsing: Array(real.utf8)[...]).names
    rootNames = [path, real].filter { $0.hasPrefix("/") }.map {
      RelativePath(parsing: Array($0.utf8)[...]).names
    }
  }

  /// The rest of an absolute path that begins with the root's own path; nil for another.
  func pathBeneathRoot(_ absolute: RelativePath) -> RelativePath? {
    for rootName in rootNames where absolute.names.starts(with: rootName) {
      return RelativePath(
        names: Array(absolute.names.dropFirst(rootName.count)), meansDirectory: absolute.meansDirectory)
    }
    return nil
  }

  /// The rest of a path that begins in the parent of the root and leads into the root; nil for another.
  ///
  /// The real path of the root contains no links, so each `..` takes away one name of it.
  func pathBeneathRoot(fromParent names: [PathName]) -> [PathName]? {
    let climbs = names.prefix(while: \.isParent).count
    let down = Array(realRootName.suffix(climbs + 1))
    let rest = names.dropFirst(climbs)
    guard !down.isEmpty, rest.starts(with: down) else { return nil }
    return Array(rest.dropFirst(down.count))
  }

  /// Where `path` leads. A link at its end is followed if `followsLast`.
  func locate(
    _ path: RelativePath, followsLast: Bool = true, acceptsMissingParents: Bool = false
  ) throws(UVError) -> Location {
    if let location = locateByKernel(path, followsLast: followsLast) { return location }
    var walk = PathWalk(
      self, path, followsLast: followsLast, acceptsMissingParents: acceptsMissingParents)
    do {
      return try walk.run()
    } catch {
      // A path that leads out is EXDEV, also where something on its way out does not exist.
      let isMissing = error == .noEntry || error == .notDirectory
      throw isMissing && path.climbsOut ? .crossesDevice : error
    }
  }

  /// The common case, in two system calls; nil if `PathWalk` has to resolve the path or find the error.
  private func locateByKernel(_ path: RelativePath, followsLast: Bool) -> Location? {
    guard let name = path.names.last, !name.isParent,
      let parent = try? root.openDirectoryBeneath(PathName(joining: path.names.dropLast())),
      let status = try? parent.status(of: name)
    else { return nil }
    if status.kind == .link && followsLast { return nil }
    if status.kind != .directory && path.meansDirectory { return nil }
    return Location(parent: parent, name: name, status: status)
  }

  /// Opens a file for reading. The type is checked before the open, because to open a pipe wakes its writer.
  func openFile(_ path: RelativePath) throws(UVError) -> (Descriptor, FileStatus) {
    try retryingChangedLinks { () throws(UVError) in
      let location = try locate(path)
      guard let status = location.status else { throw UVError.noEntry }
      try status.requireFile()
      let file = try location.parent.openFile(location.name)
      let opened = try file.status()
      try opened.requireFile()
      return (file, opened)
    }
  }

  /// The status of the file or directory that `path` leads to.
  func status(_ path: RelativePath) throws(UVError) -> FileStatus {
    guard let status = try locate(path).status else { throw UVError.noEntry }
    return status
  }

  /// Removes a file, a link (not its target) or a directory with everything in it.
  /// - Throws: `UVError.busy` for the root itself.
  func remove(_ path: RelativePath) throws(UVError) {
    let location = try locate(path, followsLast: false)
    if location.isRoot { throw UVError.busy }
    if location.status == nil { throw UVError.noEntry }
    try location.parent.removeTree(location.name)
  }

  /// Tries again if another process replaces a name by a link between the look-up and the open.
  func retryingChangedLinks<R>(_ body: () throws(UVError) -> R) throws(UVError) -> R {
    for _ in 1..<Self.attempts {
      do { return try body() } catch { guard error == .tooManyLinks else { throw error } }
    }
    return try body()
  }
}
