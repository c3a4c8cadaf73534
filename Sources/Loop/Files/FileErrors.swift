import CUV
import Glibc

extension UVError {
  /// Neither a file nor a directory: a pipe, a socket, a device.
  public static let notAFile = UVError(UV_ENXIO)
  /// It can not be removed or replaced now: a root, a mount point.
  public static let busy = UVError(UV_EBUSY)
  /// The file system can only be read.
  public static let readOnly = UVError(UV_EROFS)
  /// The file would be larger than the file system or a limit allows.
  public static let fileTooLarge = UVError(UV_EFBIG)
  /// Bytes that the file system does not take for a name.
  public static let illegalName = UVError(UV_EILSEQ)
  /// The user's share of the disk is used up.
  public static let quotaExceeded = UVError(systemError: EDQUOT)
}

/// Calls until a signal does not interrupt it, and makes an error of -1.
func retrying<Result: SignedInteger>(_ call: () -> Result) throws(UVError) -> Result {
  while true {
    let result = call()
    if result >= 0 { return result }
    if errno != EINTR { throw UVError(systemError: errno) }
  }
}
