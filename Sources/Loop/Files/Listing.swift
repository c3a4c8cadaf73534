import CUV
import Glibc

/// One line of a directory's listing.
public struct DirectoryEntry: Sendable, Equatable {
  /// The name; bytes that are not UTF-8 show as U+FFFD.
  public let name: String
  /// True of a directory, and of a link to one that is beneath the same root.
  public let isDirectory: Bool
  /// Bytes; of no meaning for a directory.
  public let size: Int64
  /// Seconds since 1970.
  public let modified: Double
}

extension Tree {
  /// What `path` holds: directories first, then by the bytes of the names.
  func list(_ path: RelativePath) throws(UVError) -> [DirectoryEntry] {
    let directory = try openDirectory(path)
    var entries: [(name: PathName, entry: DirectoryEntry)] = []
    for name in try names(in: directory) {
      guard let status = try directory.status(of: name) else { continue }  // gone since
      entries.append((name, entry(name, meaning(of: status, path.appending(name)))))
    }
    entries.sort { left, right in
      if left.entry.isDirectory != right.entry.isDirectory { return left.entry.isDirectory }
      return left.name.bytes.lexicographicallyPrecedes(right.name.bytes)
    }
    return entries.map(\.entry)
  }

  private func openDirectory(_ path: RelativePath) throws(UVError) -> Descriptor {
    try whileChanging { () throws(UVError) in
      let location = try locate(path)
      guard location.status != nil else { throw UVError.noEntry }
      return try location.parent.open(location.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }
  }

  /// A link counts as what it leads to; one that leads nowhere, or out, as itself.
  private func meaning(of status: FileStatus, _ path: RelativePath) -> FileStatus {
    guard status.kind == .link else { return status }
    return (try? locate(path).status) ?? status
  }

  private func entry(_ name: PathName, _ status: FileStatus) -> DirectoryEntry {
    DirectoryEntry(
      name: String(decoding: name.bytes, as: UTF8.self), isDirectory: status.kind == .directory,
      size: status.size, modified: status.modified)
  }

  /// The names in an open directory, in no order.
  func names(in directory: Descriptor) throws(UVError) -> [PathName] {
    // Opened anew, so that each reading has a position of its own.
    let number = try retrying { Glibc.openat(directory.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard let stream = fdopendir(number) else {
      let error = UVError(systemError: errno)
      _ = Glibc.close(number)
      throw error
    }
    defer { closedir(stream) }
    return try names(from: stream)
  }

  private func names(from stream: OpaquePointer) throws(UVError) -> [PathName] {
    var names: [PathName] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw UVError(systemError: errno) }
        return names
      }
      let name = PathName(entry)
      if name != .here && !name.isParent { names.append(name) }
    }
  }
}

extension PathName {
  /// Not read as the tuple of 256 bytes that it is imported as: an entry is only as long as its name needs.
  fileprivate init(_ entry: UnsafePointer<dirent>) {
    let start = UnsafeRawPointer(entry) + (MemoryLayout<dirent>.offset(of: \.d_name) ?? 0)
    let length = strlen(start.assumingMemoryBound(to: CChar.self))
    self.init(UnsafeRawBufferPointer(start: start, count: length))
  }
}
