import CUV
import Glibc

extension UVError {
  /// Neither a file nor a directory: a pipe, a socket or a device.
  public static let notAFile = UVError(UV_ENXIO)
  /// The file can not be removed or replaced now: it is a root or a mount point.
  public static let busy = UVError(UV_EBUSY)
  /// The file system is mounted read-only.
  public static let readOnly = UVError(UV_EROFS)
  /// The file would be larger than the file system or a limit allows.
  public static let fileTooLarge = UVError(UV_EFBIG)
  /// The file system does not allow these bytes in a name.
  public static let illegalName = UVError(UV_EILSEQ)
  /// The disk quota of the user is exhausted.
  public static let quotaExceeded = UVError(systemError: EDQUOT)
}

/// Repeats a system call that a signal interrupts, and throws `errno` where it returns -1.
func retrying<Result: SignedInteger>(_ call: () -> Result) throws(UVError) -> Result {
  while true {
    let result = call()
    if result >= 0 { return result }
    if errno != EINTR { throw UVError(systemError: errno) }
  }
}
