import Loop

/// Follows a path component by component. Each step goes from an open directory to a name in it and never through a
/// link, so that no rename by another process leads out of the root.
///
/// This does what openat2(2) with `RESOLVE_BENEATH` does. In addition it follows links that name the root itself:
/// absolute ones, and those that climb out of the root and come straight back. `..` leads back to the directory that the
/// walk came from, even if that has been moved since.
struct PathWalk {
  /// The number of links that Linux follows in one path (path_resolution(7)).
  static let maximumLinks = 40
  /// Each level needs a descriptor during the walk, and a process often has no more than 1024.
  static let maximumDepth = 128

  private let tree: Tree
  private let followsLast: Bool
  private let acceptsMissingParents: Bool
  private var meansDirectory: Bool
  /// The names that are left to follow, the next one last.
  private var pending: [PathName]
  /// The number of names at the beginning of `pending` that belong to the path itself. The others belong to links.
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

  private var current: Descriptor { levels.last?.directory ?? tree.root }

  /// - Throws: `UVError.crossesDevice` where the path leaves the root, and the errors of the system calls.
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
    return try locationOfCurrentDirectory()
  }

  private mutating func ascend(byLink isOfLink: Bool) throws(UVError) {
    if levels.popLast() != nil { return }
    // The rest of the link itself must lead back into the root, by the root's own name.
    let restOfLink = pending[pendingOfPath...].reversed()
    guard isOfLink, let inside = tree.pathBeneathRoot(fromParent: Array(restOfLink)) else {
      throw UVError.crossesDevice
    }
    pending.replaceSubrange(pendingOfPath..., with: inside.reversed())
  }

  /// The location of a path that is empty or ends in `..`.
  private mutating func locationOfCurrentDirectory() throws(UVError) -> Location {
    let status = try current.status()
    guard let last = levels.popLast() else {
      return Location(parent: tree.root, name: .current, status: status, isRoot: true)
    }
    return Location(parent: current, name: last.name, status: status)
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
    return Location(parent: current, name: name, status: status)
  }

  private func place(_ name: PathName) throws(UVError) -> Descriptor? {
    do {
      return try current.openPlace(name)
    } catch {
      guard error == .noEntry else { throw error }
      return nil
    }
  }

  private func missing(_ name: PathName) throws(UVError) -> Location? {
    if pending.isEmpty { return Location(parent: current, name: name, status: nil) }
    if !acceptsMissingParents || pending.contains(where: \.isParent) { throw UVError.noEntry }
    return Location(parent: current, name: name, status: nil, missingDirectory: name)
  }

  private mutating func follow(_ link: Descriptor) throws(UVError) {
    links += 1
    if links > Self.maximumLinks { throw UVError.tooManyLinks }
    let target = try link.linkTarget()
    guard let first = target.first else { throw UVError.noEntry }
    var path = RelativePath(parsing: target[...])
    if first == UInt8(ascii: "/") {
      guard let inside = tree.pathBeneathRoot(path) else { throw UVError.crossesDevice }
      path = inside
      levels.removeAll()
    }
    if pending.isEmpty { meansDirectory = meansDirectory || path.meansDirectory }
    pending += path.names.reversed()
  }
}
