import CUV
import Glibc

/// How many files and sockets this process, and those that it starts, may have open.
public enum OpenFileLimit {
  /// More than this does no good, and some programs close every descriptor that there may be, one by one.
  private static let enough: rlim_t = 65_536

  /// Raises the limit as far as the system lets us by ourselves. The usual 1024 is from when programs kept descriptors
  /// in sets of bits; each kernel takes a dozen.
  ///
  /// - Returns: the limit that now holds.
  @discardableResult
  public static func raise() -> UInt64 {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    let wanted = min(limit.rlim_max, max(limit.rlim_cur, enough))
    if wanted > limit.rlim_cur {
      limit.rlim_cur = wanted
      _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      _ = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
    return UInt64(limit.rlim_cur)
  }
}
