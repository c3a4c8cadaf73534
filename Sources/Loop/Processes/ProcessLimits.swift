import CUV
import Glibc

/// This process.
public enum CurrentProcess {
  /// Its process identifier (getpid(2)).
  public static var identifier: Int32 { getpid() }

  /// True if it runs with the rights of root.
  public static var isRoot: Bool { geteuid() == 0 }

  /// The size of a page of memory, in bytes.
  public static let pageSize = Int64(sysconf(CInt(_SC_PAGESIZE)))

  /// The number of processors that it may use; at least 1.
  public static var processorCount: Int { max(1, Int(uv_available_parallelism())) }
}

/// Resource limits of processes (getrlimit(2), prlimit(2)).
public enum ProcessLimits {
  /// Some programs close every descriptor that the limit allows, one by one. So the limit is not raised beyond this.
  private static let enoughOpenFiles: rlim_t = 65_536

  /// Raises the soft limit of open files of this process, which children inherit. The usual 1024 is from the time of
  /// select(2), and each kernel needs a dozen.
  ///
  /// - Returns: the limit that now holds.
  @discardableResult
  public static func raiseOpenFiles() -> UInt64 {
    var limit = openFileLimit
    let wanted = min(limit.rlim_max, max(limit.rlim_cur, enoughOpenFiles))
    if wanted > limit.rlim_cur {
      limit.rlim_cur = wanted
      _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
    return openFiles
  }

  /// How many files this process may have open; 0 if the system does not say.
  public static var openFiles: UInt64 { UInt64(openFileLimit.rlim_cur) }

  private static var openFileLimit: rlimit {
    var limit = rlimit()
    return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? limit : rlimit()
  }

  /// The soft limit of file locks (`RLIMIT_LOCKS`) of a process, `UInt64.max` for none; nil where the system denies it,
  /// as for a process of another user.
  public static func fileLocks(of process: Int32) -> UInt64? {
    var number: UInt64 = 0
    return fileLockLimit(process, &number) ? number : nil
  }

  /// Sets the soft limit of file locks of a process.
  /// - Returns: false where the system denies it.
  public static func setFileLocks(of process: Int32, to number: UInt64) -> Bool {
    limitFileLocks(process, number) == 0
  }

  /// Limits the private writable memory (`RLIMIT_DATA`) of a process, and of each that it starts from now on. Without rights it can raise the
  /// soft limit up to the hard one.
  ///
  /// - Returns: false where the system denies it.
  public static func setData(of process: Int32, soft: Int64, hard: Int64) -> Bool {
    limitData(process, UInt64(max(soft, 0)), UInt64(max(hard, 0))) == 0
  }
}
