import CUV
import Glibc

/// A directory and all beneath it, by calls that block: for the thread pool. `Directory` is the same for the loop.
struct Tree: Sendable {
  /// How often a path is looked up again after somebody changed it between the look and the use.
  static let attempts = 16

  let root: Descriptor
  /// The names by which absolute links may call the root: as it was given, and as the system knows it.
  private let rootNames: [[PathName]]
  private let realRootName: [PathName]
  /// A file without a name gets one through procfs, which a container may lack.
  var canNameFilesLater: Bool

  /// - Throws: `UVError` where `path` is not a directory that can be opened.
  init(path: String) throws(UVError) {
    let name = PathName(path.utf8)
    if path.utf8.contains(0) { throw UVError.invalidArgument }
    let opened = try retrying {
      name.withPointer { Glibc.open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    }
    root = Descriptor(adopting: opened)
    let real = realPath(path) ?? path
    realRootName = RelativePath(parsing: Array(real.utf8)[...]).names
    rootNames = [path, real].filter { $0.hasPrefix("/") }.map {
      RelativePath(parsing: Array($0.utf8)[...]).names
    }
    canNameFilesLater = access("/proc/self/fd", X_OK) == 0
  }

  /// The rest of an absolute path that begins with the root's own; nil where it does not.
  func pathBeneathRoot(_ absolute: RelativePath) -> RelativePath? {
    for rootName in rootNames where absolute.names.starts(with: rootName) {
      return RelativePath(
        names: Array(absolute.names.dropFirst(rootName.count)), meansDirectory: absolute.meansDirectory)
    }
    return nil
  }

  /// The rest of a path that begins in the directory above the root and leads into the root; nil where it does not.
  ///
  /// There are no links in the root's real name, so that `..` takes away what stands before it.
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
      // A path that leaves is refused as such also where something on the way out does not exist.
      let isMissing = error == .noEntry || error == .notDirectory
      throw isMissing && path.climbsOut ? .crossesDevice : error
    }
  }

  /// The common case in two calls; nil where it takes the walk to get there or to say why not.
  private func locateByKernel(_ path: RelativePath, followsLast: Bool) -> Location? {
    guard let name = path.names.last, !name.isParent,
      let parent = try? root.openBeneath(
        PathName(joining: path.names.dropLast()), openPathOnly | O_DIRECTORY),
      let status = try? parent.status(of: name)
    else { return nil }
    if status.kind == .link && followsLast { return nil }
    if status.kind != .directory && path.meansDirectory { return nil }
    return Location(parent: parent, name: name, status: status)
  }

  /// Opens a file for reading. Anything but a file is refused without being opened (a pipe would wake its writer).
  func openFile(_ path: RelativePath) throws(UVError) -> (Descriptor, FileStatus) {
    try whileChanging { () throws(UVError) in
      let location = try locate(path)
      guard let status = location.status else { throw UVError.noEntry }
      try status.requireFile()
      let file = try location.parent.open(
        location.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
      let opened = try file.status()
      try opened.requireFile()
      return (file, opened)
    }
  }

  /// What `path` leads to.
  func status(_ path: RelativePath) throws(UVError) -> FileStatus {
    guard let status = try locate(path).status else { throw UVError.noEntry }
    return status
  }

  /// Tries again where a link was put under a name between the look and the use of it.
  func whileChanging<R>(_ body: () throws(UVError) -> R) throws(UVError) -> R {
    for _ in 1..<Self.attempts {
      do { return try body() } catch { guard error == .tooManyLinks else { throw error } }
    }
    return try body()
  }
}

private func realPath(_ path: String) -> String? {
  guard let resolved = realpath(path, nil) else { return nil }
  defer { free(resolved) }
  return String(cString: resolved)
}
