/// Where a path leads, as the system knows it: a name in a directory. Paths that lead to the same file, by links or `..`,
/// have the same place. One that leads through directories that are not there yet has the place of the first of these.
public struct FilePlace: Hashable, Sendable {
  private let device: UInt64
  private let directory: UInt64
  private let name: [UInt8]

  init(_ location: Location) throws(UVError) {
    let parent = try location.parent.status()
    device = parent.device
    directory = parent.inode
    name = Array((location.missingDirectory ?? location.name).bytes)
  }
}

extension Directory {
  /// Where `path` leads.
  public func place(of path: RelativePath) async throws -> FilePlace {
    try await Pending { [tree] () throws(UVError) in
      try FilePlace(tree.locate(path, acceptsMissingParents: true))
    }.value()
  }
}
