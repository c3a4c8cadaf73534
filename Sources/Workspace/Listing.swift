import Loop

/// One entry of a directory.
public struct DirectoryEntry: Sendable, Equatable {
  /// The name. Bytes that are not UTF-8 are U+FFFD.
  public let name: String
  /// True of a directory, and of a link to one beneath the same root.
  public let isDirectory: Bool
  /// The size in bytes; without meaning for a directory.
  public let size: Int64
  /// The time of the last change, in seconds since 1970.
  public let modified: Double
}

extension Tree {
  /// The entries of the directory at `path`: directories first, then sorted by the bytes of the names.
  func list(_ path: RelativePath) throws(UVError) -> [DirectoryEntry] {
    let directory = try openDirectory(path)
    var entries: [(name: PathName, entry: DirectoryEntry)] = []
    for name in try directory.names() {
      // Nil if it has been removed since.
      guard let status = try directory.status(of: name) else { continue }
      entries.append((name, DirectoryEntry(name, target(of: path.appending(name), status))))
    }
    entries.sort { left, right in
      if left.entry.isDirectory != right.entry.isDirectory { return left.entry.isDirectory }
      return left.name.bytes.lexicographicallyPrecedes(right.name.bytes)
    }
    return entries.map(\.entry)
  }

  private func openDirectory(_ path: RelativePath) throws(UVError) -> Descriptor {
    try retryingChangedLinks { () throws(UVError) in
      let location = try locate(path)
      guard location.status != nil else { throw UVError.noEntry }
      return try location.parent.openDirectory(location.name)
    }
  }

  /// The status of a link's target; that of the link itself where the target is missing or outside.
  private func target(of path: RelativePath, _ status: FileStatus) -> FileStatus {
    guard status.kind == .link else { return status }
    return (try? locate(path).status) ?? status
  }
}

extension DirectoryEntry {
  fileprivate init(_ name: PathName, _ status: FileStatus) {
    self.name = String(decoding: name.bytes, as: UTF8.self)
    isDirectory = status.kind == .directory
    size = status.size
    modified = status.modified
  }
}
