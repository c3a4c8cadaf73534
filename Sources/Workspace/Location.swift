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
  /// The first of the directories in the path that do not exist. It is to be made in `parent`, and `name` has no meaning.
  var missingDirectory: PathName?

  /// Checks what open(2) for writing would: that this is a file that we may write, or nothing.
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
  /// Throws unless this is a file that can be read and written: EISDIR for a directory, and otherwise ENXIO, which is
  /// what open(2) says of a socket.
  func requireFile() throws(UVError) {
    switch kind {
    case .file: return
    case .directory: throw .isDirectory
    case .link: throw .tooManyLinks
    case .special: throw .notAFile
    }
  }
}
