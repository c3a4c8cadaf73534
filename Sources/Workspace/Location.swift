import Loop

/// Where a path leads: a name in a directory that is open, so that a rename of its parents no longer matters.
struct Location {
  /// The directory that has the name, or could have it.
  let parent: Descriptor
  let name: PathName
  /// Nil if nothing has the name yet.
  let status: FileStatus?
  /// True of the root itself, which has no name.
  var isRoot = false
  /// The first missing directory of the path, to be created in `parent`. If set, `name` has no meaning.
  var missingDirectory: PathName?

  /// Makes the checks of open(2) for writing: the target is a file that we may write, or missing.
  func requireWritableTarget() throws(UVError) {
    guard let status else { return }
    try status.requireFile()
    try parent.requireWritable(name)
  }
}

/// Identifies a file by a name in a directory. Paths that lead to the same file, through links or `..`, have the same
/// place. The place of a path with missing directories is that of the first of these.
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

extension FileStatus {
  /// Throws unless this is a regular file: EISDIR for a directory, otherwise ENXIO, as open(2) does for a socket.
  func requireFile() throws(UVError) {
    switch kind {
    case .file: return
    case .directory: throw .isDirectory
    case .link: throw .tooManyLinks
    case .special: throw .notAFile
    }
  }
}
