import CUV
import Glibc

/// Names in the directory that is open: openat(2) and its relatives. Unless a method says otherwise, a name is one
/// component and a link is not followed. All of these calls block.
extension Descriptor {
  /// Opens a file for reading. Does not wait for the writer of a pipe, and does not make a terminal the controlling
  /// one.
  /// - Throws: `UVError.tooManyLinks` for a link, and the errors of openat(2).
  public func openFile(_ name: PathName) throws(UVError) -> Descriptor {
    try open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
  }

  /// Opens a directory for reading its names.
  /// - Throws: `UVError.notDirectory`, also for a link, and the errors of openat(2).
  public func openDirectory(_ name: PathName) throws(UVError) -> Descriptor {
    try open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  }

  /// Sets the mode of a name in this directory, or of what it leads to if it is a link.
  ///
  /// - Throws: `UVError`.
  func setMode(of name: PathName, to mode: UInt32) throws(UVError) {
    _ = try retrying { name.withPointer { fchmodat(number, $0, mode, 0) } }
  }

  /// Opens a file of any type, including a link, as a place in the tree (`O_PATH`), which is neither read nor written.
  public func openPlace(_ name: PathName) throws(UVError) -> Descriptor {
    try open(name, openPathOnly | O_NOFOLLOW)
  }

  /// Opens the directory that a path leads to, as a place in the tree. The path may have several components, and it may
  /// contain relative links (openat2(2) with `RESOLVE_BENEATH`).
  /// - Throws: `UVError.crossesDevice` where the path leaves this directory, and the errors of openat2(2).
  public func openDirectoryBeneath(_ path: PathName) throws(UVError) -> Descriptor {
    let flags = openPathOnly | O_DIRECTORY | O_CLOEXEC
    return Descriptor(adopting: try retrying { path.withPointer { openBeneath(number, $0, flags, 0) } })
  }

  /// Creates a file and opens it for writing, with the mode 0666 less the umask.
  /// - Throws: `UVError.exists`, and the errors of openat(2).
  public func createFile(_ name: PathName) throws(UVError) -> Descriptor {
    try open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o666)
  }

  /// Creates a file without a name (`O_TMPFILE`) on the file system of this directory and opens it for writing, with the
  /// mode 0666 less the umask. The file vanishes with its last descriptor, unless `link` gives it a name.
  /// - Returns: nil where the file system has no such files.
  public func createUnnamedFile() throws(UVError) -> Descriptor? {
    do {
      return try open(.current, O_WRONLY | openUnnamed, mode: 0o666)
    } catch  where Self.unnamedFilesAreMissing(error) {
      return nil
    }
  }

  /// Makes a file without a name in the directory at `path`, which only this process can read and write: for data that must not
  /// outlive it. Blocks.
  /// - Throws: `UVError`.
  public static func scratchFile(in path: String) throws(UVError) -> Descriptor {
    do {
      return try openDirectory(path: path).open(.current, O_RDWR | openUnnamed, mode: 0o600)
    } catch  where unnamedFilesAreMissing(error) {
      // Some file systems, such as NFS, have none.
      let directory = try openDirectory(path: path)
      let name = PathName.unique()
      let file = try directory.open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
      try directory.unlink(name)
      return file
    }
  }

  /// True for what open(2) says where there are no files without names: EOPNOTSUPP from the file system; EISDIR, ENOENT or
  /// EINVAL from a kernel that does not know the flag.
  private static func unnamedFilesAreMissing(_ error: UVError) -> Bool {
    [UVError(systemError: EOPNOTSUPP), .isDirectory, .noEntry, .invalidArgument].contains(error)
  }

  /// True if `link` works: it needs procfs, which a container may lack.
  public static var canLinkUnnamedFiles: Bool { access("/proc/self/fd", X_OK) == 0 }

  /// Gives this file, which has no name, a name in a directory (linkat(2)).
  /// - Throws: `UVError.exists`, and the errors of linkat(2).
  public func link(as name: PathName, in directory: Descriptor) throws(UVError) {
    _ = try retrying {
      name.withPointer {
        linkat(AT_FDCWD, "/proc/self/fd/\(number)", directory.number, $0, AT_SYMLINK_FOLLOW)
      }
    }
  }

  /// Renames a file or directory; the new name may be in another directory, and it replaces a file (renameat(2)).
  public func rename(
    _ name: PathName, to newName: PathName, in directory: Descriptor
  ) throws(UVError) {
    _ = try retrying {
      name.withPointer { old in newName.withPointer { renameat(number, old, directory.number, $0) } }
    }
  }

  /// Removes a name that is not a directory's (unlinkat(2)).
  public func unlink(_ name: PathName) throws(UVError) {
    _ = try retrying { name.withPointer { unlinkat(number, $0, 0) } }
  }

  /// Removes an empty directory (unlinkat(2) with `AT_REMOVEDIR`).
  func removeDirectory(_ name: PathName) throws(UVError) {
    _ = try retrying { name.withPointer { unlinkat(number, $0, AT_REMOVEDIR) } }
  }

  /// Makes a directory, with the mode 0777 less the umask. An existing one is not an error.
  public func makeDirectory(_ name: PathName) throws(UVError) {
    do {
      _ = try retrying { name.withPointer { mkdirat(number, $0, 0o777) } }
    } catch {
      guard error == .exists else { throw error }
    }
  }

  /// Checks that we may write the file `name`, which may be a link (faccessat(2)).
  /// - Throws: `UVError.accessDenied`, `.readOnly`, and the other errors of faccessat(2).
  public func requireWritable(_ name: PathName) throws(UVError) {
    _ = try retrying { name.withPointer { faccessat(number, $0, W_OK, AT_EACCESS) } }
  }

  /// The status of a file of any type, including a link (fstatat(2)); nil if it does not exist.
  public func status(of name: PathName) throws(UVError) -> FileStatus? {
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

  /// The target of the link that is open as a place.
  public func linkTarget() throws(UVError) -> [UInt8] {
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

  /// The names in this directory without `.` and `..`, in no particular order.
  public func names() throws(UVError) -> [PathName] {
    // A new open file description: two readers of one would share its position.
    let copy = try retrying { Glibc.openat(number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard let stream = fdopendir(copy) else {
      let error = UVError(systemError: errno)
      _ = Glibc.close(copy)
      throw error
    }
    defer { closedir(stream) }
    var names: [PathName] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw UVError(systemError: errno) }
        return names
      }
      let name = PathName(entry)
      if name != .current && !name.isParent { names.append(name) }
    }
  }

  func open(_ name: PathName, _ flags: CInt, mode: mode_t = 0) throws(UVError) -> Descriptor {
    Descriptor(
      adopting: try retrying {
        name.withPointer { Glibc.openat(number, $0, flags | O_CLOEXEC, mode) }
      })
  }
}

extension PathName {
  /// Copies no more than the name: Swift imports `d_name` as a tuple of 256 bytes, but an entry may be shorter.
  fileprivate init(_ entry: UnsafePointer<dirent>) {
    let start = UnsafeRawPointer(entry) + (MemoryLayout<dirent>.offset(of: \.d_name) ?? 0)
    let length = strlen(start.assumingMemoryBound(to: CChar.self))
    self.init(UnsafeRawBufferPointer(start: start, count: length))
  }
}
