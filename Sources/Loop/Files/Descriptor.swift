public import Bytes
import CUV
import Glibc

/// A file descriptor, which is closed with its last reference.
///
/// A job on the thread pool holds a reference too. Otherwise a close during a system call would let the call act on
/// another file that has got the same number.
public final class Descriptor: Sendable {
  let number: CInt

  init(adopting number: CInt) { self.number = number }

  deinit { _ = Glibc.close(number) }

  /// Opens the directory at `path`, which may be absolute and may contain links. Blocks.
  /// - Throws: `UVError.invalidArgument` for a NUL byte, and the errors of open(2).
  public static func openDirectory(path: String) throws(UVError) -> Descriptor {
    if path.utf8.contains(0) { throw .invalidArgument }
    return Descriptor(adopting: try retrying { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
  }

  /// The status of the file that is open (fstat(2)).
  public func status() throws(UVError) -> FileStatus {
    var status = Glibc.stat()
    _ = try retrying { fstat(number, &status) }
    return FileStatus(status)
  }
}

extension Descriptor {
  /// Reads up to `length` bytes from `offset`. Returns fewer only at the end of the file.
  ///
  /// - Parameter capacity: the length of the memory, if it is to be more: `BlockCache` keeps that of blocks of certain lengths.
  public func read(upTo length: Int, at offset: Int64, capacity: Int = 0) throws(UVError) -> Bytes {
    let storage = ByteStorage(capacity: max(length, capacity))
    var count = 0
    while count < length {
      let got = try retrying {
        pread(number, storage.base + count, length - count, off_t(offset) + count)
      }
      if got == 0 { break }
      count += got
    }
    return Bytes(sharing: storage)[0..<count]
  }

  /// Writes all of `pieces`, one after the other, from `offset`.
  public func write(_ pieces: [Bytes], at offset: Int64) throws(UVError) {
    var position = offset
    for piece in pieces {
      var rest = piece
      while !rest.isEmpty {
        let written = try retrying {
          rest.withUnsafeBytes { pwrite(number, $0.baseAddress, $0.count, off_t(position)) }
        }
        rest = rest[written...]
        position += Int64(written)
      }
    }
  }

  /// Starts the write-back of `range` to the disk, so that `synchronise` has less to wait for. `synchronise` reports
  /// an error of the write-back again, so this ignores it.
  public func beginWriteback(_ range: Range<Int64>) {
    _ = CUV.beginWriteback(number, range.lowerBound, Int64(range.count))
  }

  /// Waits until data and metadata are on the disk (fsync(2)).
  public func synchronise() throws(UVError) {
    _ = try retrying { fsync(number) }
  }

  /// Gives this file the permissions of `other`, and its owner where that is allowed: only root may give files away.
  public func takePermissions(of other: FileStatus) throws(UVError) {
    _ = try retrying { fchmod(number, other.permissions) }
    _ = fchown(number, other.owner, other.group)
  }
}
