import CUV

/// What libuv or the kernel said went wrong: a negative number, as libuv spells `errno` and its own codes.
public struct UVError: Error, Equatable, Hashable, RawRepresentable, Sendable {
  /// libuv's code; always negative.
  public let rawValue: CInt

  /// An error from libuv's code.
  public init(rawValue: CInt) { self.rawValue = rawValue }

  init(_ code: uv_errno_t) { self.init(rawValue: CInt(code.rawValue)) }

  /// An error from a positive `errno`, for the calls that libuv does not make for us.
  init(systemError: CInt) { self.init(rawValue: uv_translate_sys_error(systemError)) }

  /// The symbol, such as `ECONNREFUSED`.
  public var name: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
      String(cString: uv_err_name_r(rawValue, text.baseAddress, text.count))
    }
  }
}

extension UVError {
  /// The peer closed its side in an orderly way.
  public static let endOfFile = UVError(UV_EOF)
  /// The operation was given up because its handle was closed.
  public static let cancelled = UVError(UV_ECANCELED)
  /// Time ran out.
  public static let timedOut = UVError(UV_ETIMEDOUT)
  /// No such file or directory.
  public static let noEntry = UVError(UV_ENOENT)
  /// The file exists already.
  public static let exists = UVError(UV_EEXIST)
  /// A directory where a file is meant.
  public static let isDirectory = UVError(UV_EISDIR)
  /// A file where a directory is meant.
  public static let notDirectory = UVError(UV_ENOTDIR)
  /// A directory that still holds something.
  public static let notEmpty = UVError(UV_ENOTEMPTY)
  /// Too many symbolic links, or one where none is followed.
  public static let tooManyLinks = UVError(UV_ELOOP)
  /// The path leads to another device, or out of the directory that it must stay in.
  public static let crossesDevice = UVError(UV_EXDEV)
  /// A name that the file system does not take for its length.
  public static let nameTooLong = UVError(UV_ENAMETOOLONG)
  /// An argument that makes no sense.
  public static let invalidArgument = UVError(UV_EINVAL)
  /// Permission denied.
  public static let accessDenied = UVError(UV_EACCES)
  /// Operation not permitted.
  public static let notPermitted = UVError(UV_EPERM)
  /// No space left on the device.
  public static let noSpace = UVError(UV_ENOSPC)
  /// This process has no file descriptor left.
  public static let tooManyOpenFiles = UVError(UV_EMFILE)
  /// The machine has no file descriptor left.
  public static let tooManyOpenFilesInSystem = UVError(UV_ENFILE)
  /// Nothing now; the call would have to wait.
  public static let wouldBlock = UVError(UV_EAGAIN)
  /// A signal came in between.
  public static let interrupted = UVError(UV_EINTR)
  /// No such process.
  public static let noSuchProcess = UVError(UV_ESRCH)
  /// Nobody listens there.
  public static let connectionRefused = UVError(UV_ECONNREFUSED)
  /// The peer broke the connection.
  public static let connectionReset = UVError(UV_ECONNRESET)
  /// Written to a connection that the peer has closed.
  public static let brokenPipe = UVError(UV_EPIPE)
  /// The socket is not connected.
  public static let notConnected = UVError(UV_ENOTCONN)
  /// A message over a limit.
  public static let messageTooLong = UVError(UV_EMSGSIZE)
  /// The peer does not keep to the protocol.
  public static let protocolError = UVError(UV_EPROTO)
  /// Somebody listens there already.
  public static let addressInUse = UVError(UV_EADDRINUSE)
  /// The name of a host that nobody knows.
  public static let unknownHost = UVError(UV_EAI_NONAME)
  /// Not known to this kernel.
  public static let notSupported = UVError(UV_ENOSYS)
}

extension UVError: CustomStringConvertible {
  /// The error in words, then its symbol: `connection refused (ECONNREFUSED)`.
  public var description: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { text in
      String(cString: uv_strerror_r(rawValue, text.baseAddress, text.count))
    } + " (\(name))"
  }
}

/// Throws where libuv answered with a negative number, and passes on what it answered otherwise.
@discardableResult
func checked(_ status: CInt) throws(UVError) -> CInt {
  if status < 0 { throw UVError(rawValue: status) }
  return status
}
