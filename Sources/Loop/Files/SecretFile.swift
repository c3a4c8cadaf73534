public import Bytes
import CUV
import Glibc

/// A file that holds a secret, such as a token.
public struct SecretFile: Sendable {
  /// Why a secret was not read.
  public enum Failure: Error, Equatable {
    /// Others than the owner may read the file.
    case readableByOthers
    /// The file has more bytes than the limit.
    case tooLong
    /// The error of open(2) or read(2).
    case unreadable(UVError)
  }

  /// The path that stands for standard input.
  public static let standardInput = "-"

  /// All of it.
  public let content: Bytes
  /// True for a file on a disk, false for a pipe.
  public let canBeReadAgain: Bool

  /// Reads a file, a pipe up to its end, or standard input. Blocks: for the start of a program.
  ///
  /// - Parameter limit: the most bytes that it may have.
  public init(_ path: String, limit: Int) throws(Failure) {
    let (status, content) = try Self.orFailure { () throws(UVError) in
      let file = try Self.open(path)
      // Of the open file: the path may lead to another one by now.
      let status = try file.status()
      return (status, try file.readToEnd(upTo: limit + 1))
    }
    guard status.permissions & Self.readableByOthers == 0 else { throw .readableByOthers }
    guard content.count <= limit else { throw .tooLong }
    self.content = content
    canBeReadAgain = status.kind == .file
  }

  private static let readableByOthers = S_IRGRP | S_IROTH

  /// True if others than its owner can read a file that is there.
  public static func isReadableByOthers(_ path: String) -> Bool {
    var status = stat()
    return !path.utf8.contains(0) && stat(path, &status) == 0 && status.st_mode & readableByOthers != 0
  }

  private static func open(_ path: String) throws(UVError) -> Descriptor {
    if path.utf8.contains(0) { throw .invalidArgument }
    let number = try retrying {
      path == standardInput
        ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
    }
    return Descriptor(adopting: number)
  }

  private static func orFailure<R>(_ body: () throws(UVError) -> R) throws(Failure) -> R {
    do { return try body() } catch { throw .unreadable(error) }
  }
}

extension Descriptor {
  /// Reads to the end, but at most `length` bytes, also from a pipe.
  fileprivate func readToEnd(upTo length: Int) throws(UVError) -> Bytes {
    let storage = ByteStorage(capacity: length)
    var count = 0
    while count < length {
      let got = try retrying { Glibc.read(number, storage.base + count, length - count) }
      if got == 0 { break }
      count += got
    }
    return Bytes(sharing: storage)[0..<count]
  }
}
