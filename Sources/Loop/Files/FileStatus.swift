import CUV
import Glibc

/// What a name in a directory stands for.
public enum FileKind: Sendable {
  case file, directory, link
  /// A pipe, a socket or a device.
  case special
}

/// What is known of a file without reading it.
public struct FileStatus: Sendable, Equatable {
  /// What it is.
  public let kind: FileKind
  /// Bytes.
  public let size: Int64
  /// When its content was last changed: whole seconds since 1970.
  public let modifiedSeconds: Int64
  /// The nanoseconds beyond `modifiedSeconds`.
  public let modifiedNanoseconds: Int64
  /// The file's number on its device, which a replacement under the same name does not share.
  public let inode: UInt64

  let device: UInt64
  let permissions: mode_t
  let owner: uid_t
  let group: gid_t

  init(_ status: Glibc.stat) {
    kind =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .file
      case S_IFDIR: .directory
      case S_IFLNK: .link
      default: .special
      }
    size = Int64(status.st_size)
    modifiedSeconds = Int64(status.st_mtim.tv_sec)
    modifiedNanoseconds = Int64(status.st_mtim.tv_nsec)
    inode = UInt64(status.st_ino)
    device = UInt64(status.st_dev)
    permissions = status.st_mode & 0o777
    owner = status.st_uid
    group = status.st_gid
  }

  /// When its content was last changed: seconds since 1970.
  public var modified: Double { Double(modifiedSeconds) + Double(modifiedNanoseconds) / 1e9 }

  /// Throws where this is not a file that can be read and written: a directory as EISDIR, anything else as ENXIO,
  /// which is what open(2) says of a socket.
  func requireFile() throws(UVError) {
    switch kind {
    case .file: return
    case .directory: throw UVError.isDirectory
    case .link: throw UVError.tooManyLinks
    case .special: throw UVError.notAFile
    }
  }
}
