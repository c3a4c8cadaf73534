import CUV
import Glibc

/// Follows a path one component at a time, every step from an open directory to a name in it and never through a
/// link, so that no rename by somebody else can lead it out of the root.
///
/// It does what openat2(2) with `RESOLVE_BENEATH` does, and beyond that takes links that name the root itself: absolute
/// ones, and those that climb out of it and come straight back. `..` goes back to the directory from which the walk came, not to where the kernel says that it is now.
struct PathWalk {
  /// As many links as Linux follows in one path.
  static let maximumLinks = 40
  /// Each level costs a descriptor while the walk lasts; a process commonly has 1024 of them.
  static let maximumDepth = 128

  private let tree: Tree
  private let followsLast: Bool
  private let acceptsMissingParents: Bool
  private var meansDirectory: Bool
  /// What is still to be walked, the next at the end.
  private var pending: [PathName]
  /// How many of them, at the front of the array, are of the path itself; the others are of links.
  private var pendingOfPath: Int
  private var levels: [(directory: Descriptor, name: PathName)] = []
  private var links = 0

  init(_ tree: Tree, _ path: RelativePath, followsLast: Bool, acceptsMissingParents: Bool) {
    self.tree = tree
    self.followsLast = followsLast
    self.acceptsMissingParents = acceptsMissingParents
    self.meansDirectory = path.meansDirectory
    self.pending = path.names.reversed()
    self.pendingOfPath = path.names.count
  }

  private var here: Descriptor { levels.last?.directory ?? tree.root }

  /// - Throws: `UVError` EXDEV where the path leaves the root, and what the system says.
  mutating func run() throws(UVError) -> Location {
    while let name = pending.popLast() {
      let isOfLink = pending.count >= pendingOfPath
      pendingOfPath = min(pendingOfPath, pending.count)
      if name.isParent {
        try ascend(byLink: isOfLink)
      } else if let location = try step(to: name) {
        return location
      }
    }
    return try whereItStands()
  }

  private mutating func ascend(byLink isOfLink: Bool) throws(UVError) {
    if levels.popLast() != nil { return }
    // The rest of the link must lead back by the root's own name; what comes after the link does not count.
    let restOfLink = pending[pendingOfPath...].reversed()
    guard isOfLink, let inside = tree.pathBeneathRoot(fromParent: Array(restOfLink)) else {
      throw UVError.crossesDevice
    }
    pending.replaceSubrange(pendingOfPath..., with: inside.reversed())
  }

  /// The path ended in `..`, or is empty: the name of the directory that was come to.
  private mutating func whereItStands() throws(UVError) -> Location {
    let status = try here.status()
    guard let last = levels.popLast() else {
      return Location(parent: tree.root, name: .here, status: status, isRoot: true)
    }
    return Location(parent: here, name: last.name, status: status)
  }

  private mutating func step(to name: PathName) throws(UVError) -> Location? {
    guard let place = try place(name) else { return try missing(name) }
    let status = try place.status()
    let isLast = pending.isEmpty
    switch status.kind {
    case .link where !(isLast && !followsLast):
      try follow(place)
      return nil
    case .directory where !isLast:
      if levels.count >= Self.maximumDepth { throw UVError.nameTooLong }
      levels.append((place, name))
      return nil
    case .file, .special:
      if !isLast || meansDirectory { throw UVError.notDirectory }
    default: break
    }
    return Location(parent: here, name: name, status: status)
  }

  private func place(_ name: PathName) throws(UVError) -> Descriptor? {
    do {
      return try here.open(name, openPathOnly | O_NOFOLLOW)
    } catch {
      guard error == .noEntry else { throw error }
      return nil
    }
  }

  private func missing(_ name: PathName) throws(UVError) -> Location? {
    if pending.isEmpty { return Location(parent: here, name: name, status: nil) }
    if !acceptsMissingParents || pending.contains(where: \.isParent) { throw UVError.noEntry }
    return Location(parent: here, name: name, status: nil, missingDirectory: name)
  }

  private mutating func follow(_ link: Descriptor) throws(UVError) {
    links += 1
    if links > Self.maximumLinks { throw UVError.tooManyLinks }
    let target = try link.linkTarget()
    guard let first = target.first else { throw UVError.noEntry }
    var path = RelativePath(parsing: target[...])
    if first == slash {
      guard let inside = tree.pathBeneathRoot(path) else { throw UVError.crossesDevice }
      path = inside
      levels.removeAll()
    }
    if pending.isEmpty { meansDirectory = meansDirectory || path.meansDirectory }
    pending += path.names.reversed()
  }
}
