import CUV
import Glibc
public import Bytes

/// Small files and directories, by path. Reads and writes run on libuv's thread pool, because they may wait for a disk.
public enum SmallFile {
  /// The number of bytes that `read` returns at most. The rest of a longer file is ignored.
  static let maximumLength = 1 << 20

  /// The content of a file.
  /// - Throws: `UVError`, `CancellationError`.
  @LoopActor
  public static func read(_ path: String) async throws -> Bytes {
    try await Pending { () throws(UVError) in
      let file = Descriptor(adopting: try retrying { Glibc.open(path, O_RDONLY | O_CLOEXEC) })
      return try file.read(upTo: maximumLength, at: 0)
    }.value()
  }

  /// The content of a file in procfs, whose size is unknown in advance; nil if it cannot be read. Blocks for some
  /// microseconds.
  public static func readProcFile(_ path: String) -> [UInt8]? {
    guard let number = try? retrying({ open(path, O_RDONLY | O_CLOEXEC) }) else { return nil }
    let file = Descriptor(adopting: number)
    var bytes: [UInt8] = []
    while bytes.count < maximumLength {
      var count = 0
      let part = [UInt8](unsafeUninitializedCapacity: 4096) { memory, initialised in
        count = (try? retrying { Glibc.read(file.number, memory.baseAddress, memory.count) }) ?? -1
        initialised = max(0, count)
      }
      if count < 0 { return nil }
      if count == 0 { break }
      if bytes.isEmpty { bytes = part } else { bytes += part }
    }
    return bytes
  }

  /// The first bytes of a file, at most `count`; nil where it cannot be read.
  @LoopActor
  public static func beginning(of path: String, upTo count: Int) async -> Bytes? {
    // O_NONBLOCK: the open of a pipe would wait for its writer.
    try? await Pending { () throws(UVError) in
      let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK
      let file = Descriptor(adopting: try retrying { Glibc.open(path, flags) })
      return try file.read(upTo: count, at: 0)
    }.value()
  }

  /// Creates a file that only its owner can read (mode 0600).
  /// - Throws: `UVError.exists` where the path exists; `CancellationError`.
  @LoopActor
  public static func create(_ path: String, _ bytes: Bytes) async throws {
    try await Pending { () throws(UVError) in
      let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
      let file = Descriptor(adopting: try retrying { Glibc.open(path, flags, 0o600) })
      try file.write([bytes], at: 0)
    }.value()
  }

  /// The time at which a file or directory was last changed, in nanoseconds since 1970; nil where there is none. Blocks
  /// for a short time: callers ask again and again, so the system has it in memory.
  public static func modificationTime(_ path: String) -> Int64? {
    FileStatus(following: path).map { $0.modifiedSeconds &* 1_000_000_000 &+ $0.modifiedNanoseconds }
  }

  /// The names in a directory without `.` and `..`; none where it cannot be read.
  @LoopActor
  public static func names(in directory: String) async -> [String] {
    (try? await Pending { namesNow(in: directory) }.valueRegardless()) ?? []
  }

  /// The same at once. Blocks: for directories of the system, which are in memory.
  public static func namesNow(in directory: String) -> [String] {
    let names = (try? Descriptor.openDirectory(path: directory).names()) ?? []
    return names.map { String(decoding: $0.bytes, as: UTF8.self) }
  }

  /// Writes into a file that exists, such as a control file of the system. Blocks.
  public static func overwrite(_ path: String, _ text: String) throws(UVError) {
    let file = Descriptor(adopting: try retrying { Glibc.open(path, O_WRONLY | O_CLOEXEC) })
    try file.write([Bytes(text)], at: 0)
  }

  /// Removes an empty directory. Blocks.
  public static func removeDirectory(_ path: String) throws(UVError) {
    _ = try retrying { rmdir(path) }
  }

  /// True if this process may write the file, or into the directory. Blocks for a short time.
  public static func isWritable(_ path: String) -> Bool { access(path, W_OK) == 0 }

  /// True if the path exists. Blocks for a short time: for directories that the system has in memory.
  public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Makes the directory at `path`, which is absolute, and the missing ones above it. Blocks: for the start of a program.
  public static func makeDirectory(_ path: String) throws(UVError) {
    var parent = ""
    for name in path.split(separator: "/") {
      parent += "/\(name)"
      do {
        _ = try retrying { mkdir(parent, 0o777) }
      } catch {
        guard error == .exists else { throw error }
      }
    }
  }

  /// True if a path is that of a Unix socket, and not of a link to one. Blocks for a short time.
  public static func isSocket(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
  }

  /// The absolute path without links (realpath(3)); nil where the path does not exist. Blocks.
  public static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
