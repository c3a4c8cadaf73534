import Bytes
import CUV
import Glibc

/// A part of a file that is sent.
///
/// A socket that takes it without a copy refers to the file's own pages until the peer has acknowledged them. So nobody may write to
/// this part of the file any more: the peer would get that instead.
public struct FilePart: Sendable {
  private let file: Descriptor
  private var offset: Int64
  /// The number of bytes.
  public private(set) var count: Int

  /// The `count` bytes from `offset` on. The file must be at least as long.
  public init(of file: Descriptor, at offset: Int64, count: Int) {
    self.file = file
    self.offset = offset
    self.count = count
  }

  /// True if `count` is zero.
  public var isEmpty: Bool { count == 0 }

  /// Leaves out the first `length` bytes.
  mutating func removeFirst(_ length: Int) {
    precondition(length <= count)
    offset += Int64(length)
    count -= length
  }

  /// Takes the first bytes, at most `length`. Blocks.
  /// - Throws: `UVError`, `.endOfFile` if the file is shorter.
  mutating func readFirst(_ length: Int) throws(UVError) -> Bytes {
    let block = try file.read(upTo: min(length, count), at: offset)
    if block.isEmpty && count > 0 { throw .endOfFile }
    removeFirst(block.count)
    return block
  }

  /// Has a socket take the first bytes, as many as it has room for (sendfile(2)). Blocks while the disk is read. An error is one of
  /// the socket, which the next write reports, or of the file, which the next read reports; or there are no bytes without a copy
  /// on this file system.
  /// - Returns: how many.
  mutating func sendFirst(to socket: Descriptor) -> Int {
    let before = count
    while count > 0 {
      let sent = try? retrying { cuv_sendfile(socket.number, file.number, offset, Int64(count)) }
      guard let sent, sent > 0 else { break }
      removeFirst(Int(sent))
    }
    return before - count
  }
}
