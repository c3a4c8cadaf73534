import CUV
import Glibc
import Bytes

/// A file descriptor that is closed when nobody holds it any more.
///
/// Jobs on the thread pool hold it too, so that closing a file in the middle of an operation can not make that
/// operation act on a stranger that got the same number.
final class Descriptor: Sendable {
  let number: CInt

  init(adopting number: CInt) { self.number = number }

  deinit { _ = Glibc.close(number) }

  /// Opens `name`, which is one component, in this directory.
  func open(_ name: PathName, _ flags: CInt, mode: mode_t = 0) throws(UVError) -> Descriptor {
    Descriptor(
      adopting: try retrying {
        name.withPointer { Glibc.openat(number, $0, flags | O_CLOEXEC, mode) }
      })
  }

  /// Opens a path that can not leave this directory; links in it are followed as long as they are relative.
  func openBeneath(_ path: PathName, _ flags: CInt) throws(UVError) -> Descriptor {
    Descriptor(
      adopting: try retrying {
        path.withPointer { CUV.openBeneath(number, $0, flags | O_CLOEXEC, 0) }
      })
  }

  /// What this descriptor stands for.
  func status() throws(UVError) -> FileStatus {
    var status = Glibc.stat()
    _ = try retrying { fstat(number, &status) }
    return FileStatus(status)
  }

  /// What `name` in this directory is, a link itself included; nil where there is nothing.
  func status(of name: PathName) throws(UVError) -> FileStatus? {
    var status = Glibc.stat()
    do {
      _ = try retrying {
        name.withPointer { fstatat(number, $0, &status, AT_SYMLINK_NOFOLLOW) }
      }
      return FileStatus(status)
    } catch {
      guard error == .noEntry else { throw error }
      return nil
    }
  }

  /// Where this link, opened as a place (`O_PATH`), points to.
  func linkTarget() throws(UVError) -> [UInt8] {
    var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let length = try retrying {
      target.withUnsafeMutableBufferPointer { memory in
        memory.withMemoryRebound(to: CChar.self) {
          CInt(readlinkat(number, "", $0.baseAddress.unsafelyUnwrapped, $0.count))
        }
      }
    }
    return Array(target.prefix(Int(length)))
  }
}

extension Descriptor {
  /// At most `length` bytes from `offset`; fewer only at the end of the file.
  func read(upTo length: Int, at offset: Int64) throws(UVError) -> Bytes {
    let storage = ByteStorage(capacity: length)
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
  func write(_ pieces: [Bytes], at offset: Int64) throws(UVError) {
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

  /// Has the disk begin with what was written to `range`, so that `synchronise` has less to wait for. An error would
  /// come again there.
  func beginWriteback(_ range: Range<Int64>) {
    _ = CUV.beginWriteback(number, range.lowerBound, Int64(range.count))
  }

  /// Waits until data and size are on the disk.
  func synchronise() throws(UVError) {
    _ = try retrying { fsync(number) }
  }
}
