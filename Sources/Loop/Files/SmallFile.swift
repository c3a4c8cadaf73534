import CUV
import Glibc
public import Bytes

/// Whole files of a few kilobytes, by path. On libuv's thread pool, as all that may wait for a disk.
public enum SmallFile {
  /// More than this is no small file: what is longer is cut.
  public static let maximumLength = 1 << 20

  /// What the file holds.
  /// - Throws: `UVError`, `CancellationError`.
  @LoopActor
  public static func read(_ path: String) async throws -> Bytes {
    try await Pending { () throws(UVError) in
      let file = Descriptor(adopting: try retrying { Glibc.open(path, O_RDONLY | O_CLOEXEC) })
      return try file.read(upTo: maximumLength, at: 0)
    }.value()
  }

  /// The first bytes of a file, `count` at the most; nil where it cannot be read.
  @LoopActor
  public static func beginning(of path: String, upTo count: Int) async -> Bytes? {
    // Without waiting: it may be a pipe.
    try? await Pending { () throws(UVError) in
      let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK
      let file = Descriptor(adopting: try retrying { Glibc.open(path, flags) })
      return try file.read(upTo: count, at: 0)
    }.value()
  }

  /// Makes a file that only its owner can read (mode 0600).
  /// - Throws: `UVError.exists` where there is something already; `CancellationError`.
  @LoopActor
  public static func create(_ path: String, _ bytes: Bytes) async throws {
    try await Pending { () throws(UVError) in
      let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
      let file = Descriptor(adopting: try retrying { Glibc.open(path, flags, 0o600) })
      try file.write([bytes], at: 0)
    }.value()
  }

  /// Removes files; those that are not there are no matter.
  @LoopActor
  public static func remove(_ paths: [String]) async {
    _ = try? await Pending { for path in paths { Glibc.unlink(path) } }.valueRegardless()
  }

  /// When a file or directory was last changed, in nanoseconds since 1970; nil where there is none. Does not wait for long:
  /// what is asked for again and again is in the system's memory.
  public static func modificationTime(_ path: String) -> Int64? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
  }

  /// The names in a directory; none where it cannot be read.
  @LoopActor
  public static func names(in directory: String) async -> [String] {
    (try? await Pending { systemNames(in: directory) }.valueRegardless()) ?? []
  }

  /// True where there is something of that name. It does not wait: for directories in memory.
  public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}

/// The names in a directory in the order of the system, without `.` and `..`. Blocks.
func systemNames(in directory: String) -> [String] {
  guard let stream = opendir(directory) else { return [] }
  defer { closedir(stream) }
  var names: [String] = []
  while let entry = readdir(stream) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
      name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names
}
