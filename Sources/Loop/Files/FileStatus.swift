import CUV
import Glibc

/// The type of a file.
public enum FileKind: Sendable {
  case file, directory, link
  /// A pipe, a socket or a device.
  case special
}

/// The attributes of a file (stat(2)).
public struct FileStatus: Sendable, Equatable {
  /// The type.
  public let kind: FileKind
  /// The size in bytes.
  public let size: Int64
  /// The time of the last change of the content: whole seconds since 1970.
  public let modifiedSeconds: Int64
  /// The nanoseconds beyond `modifiedSeconds`.
  public let modifiedNanoseconds: Int64
  /// The number of the file on its device. A replacement under the same name has another.
  public let inode: UInt64
  /// The number of the device that the file is on.
  public let device: UInt64

  /// How many names it has.
  public let linkCount: Int
  /// The space that it has on its device, in bytes.
  public let allocatedSize: Int64

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
    linkCount = Int(status.st_nlink)
    allocatedSize = Int64(status.st_blocks) &* 512
    permissions = status.st_mode & 0o777
    owner = status.st_uid
    group = status.st_gid
  }

  /// The status of what a path leads to; nil if that cannot be found out. Blocks.
  public init?(following path: String) {
    var status = Glibc.stat()
    guard fstatat(AT_FDCWD, path, &status, 0) == 0 else { return nil }
    self.init(status)
  }

  /// The time of the last change of the content, in seconds since 1970.
  public var modified: Double { Double(modifiedSeconds) + Double(modifiedNanoseconds) / 1e9 }
}
