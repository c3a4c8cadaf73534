import CUV

/// An error of libuv or the operating system: libuv's negative number for an `errno` or for a code of its own.
public struct UVError: Error, Equatable, Hashable, RawRepresentable, Sendable {
  /// libuv's code; always negative.
  public let rawValue: CInt

  /// An error from libuv's code.
  public init(rawValue: CInt) { self.rawValue = rawValue }

  init(_ code: uv_errno_t) { self.init(rawValue: CInt(code.rawValue)) }

  /// An error from a positive `errno`, for system calls that libuv does not make.
  init(systemError: CInt) { self.init(rawValue: uv_translate_sys_error(systemError)) }

  /// The symbol, such as `ECONNREFUSED`.
  var name: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
      String(cString: uv_err_name_r(rawValue, text.baseAddress, text.count))
    }
  }
}

extension UVError {
  /// The peer closed its side in an orderly way.
  public static let endOfFile = UVError(UV_EOF)
  /// The operation was cancelled because its handle was closed.
  public static let cancelled = UVError(UV_ECANCELED)
  /// The operation timed out.
  static let timedOut = UVError(UV_ETIMEDOUT)
  /// No such file or directory.
  public static let noEntry = UVError(UV_ENOENT)
  /// The file exists already.
  public static let exists = UVError(UV_EEXIST)
  /// A directory where a file is expected.
  public static let isDirectory = UVError(UV_EISDIR)
  /// A file where a directory is expected.
  public static let notDirectory = UVError(UV_ENOTDIR)
  /// The directory is not empty.
  public static let notEmpty = UVError(UV_ENOTEMPTY)
  /// Too many symbolic links, or one where none is followed.
  public static let tooManyLinks = UVError(UV_ELOOP)
  /// The path leads to another device, or out of the directory that it must stay in.
  public static let crossesDevice = UVError(UV_EXDEV)
  /// The name is too long for the file system, or for a socket address.
  public static let nameTooLong = UVError(UV_ENAMETOOLONG)
  /// Invalid argument.
  public static let invalidArgument = UVError(UV_EINVAL)
  /// Permission denied.
  public static let accessDenied = UVError(UV_EACCES)
  /// Operation not permitted.
  public static let notPermitted = UVError(UV_EPERM)
  /// No space left on the device.
  public static let noSpace = UVError(UV_ENOSPC)
  /// The process has reached its limit of file descriptors.
  public static let tooManyOpenFiles = UVError(UV_EMFILE)
  /// The system has reached its limit of open files.
  public static let tooManyOpenFilesInSystem = UVError(UV_ENFILE)
  /// The call would block.
  static let wouldBlock = UVError(UV_EAGAIN)
  /// No such process.
  public static let noSuchProcess = UVError(UV_ESRCH)
  /// No process listens at the address.
  public static let connectionRefused = UVError(UV_ECONNREFUSED)
  /// The peer reset the connection.
  public static let connectionReset = UVError(UV_ECONNRESET)
  /// The peer has closed the connection that was written to.
  public static let brokenPipe = UVError(UV_EPIPE)
  /// The socket is not connected.
  public static let notConnected = UVError(UV_ENOTCONN)
  /// The message exceeds a limit.
  static let messageTooLong = UVError(UV_EMSGSIZE)
  /// The peer violates the protocol.
  public static let protocolError = UVError(UV_EPROTO)
  /// Another socket is bound to the address.
  static let addressInUse = UVError(UV_EADDRINUSE)
  /// The host name is unknown.
  static let unknownHost = UVError(UV_EAI_NONAME)
  /// The operating system does not support the call.
  static let notSupported = UVError(UV_ENOSYS)
}

extension UVError: CustomStringConvertible {
  /// The error in words, then its symbol: `connection refused (ECONNREFUSED)`.
  public var description: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { text in
      String(cString: uv_strerror_r(rawValue, text.baseAddress, text.count))
    } + " (\(name))"
  }
}

/// Throws a negative result of libuv as an error, and returns any other.
@discardableResult
func checked(_ status: CInt) throws(UVError) -> CInt {
  if status < 0 { throw UVError(rawValue: status) }
  return status
}

/// The system lacks something that this program needs. The description says what, and what can be done.
public struct SystemRequirementError: Error, Equatable, CustomStringConvertible, Sendable {
  /// The message for a person.
  public let description: String

  /// setpriv(1), which ends a child when its parent ends.
  static let setpriv = SystemRequirementError(
    description: "setpriv, which ends kernels when this program is killed, is not in PATH. Install util-linux"
  )

  /// libzmq cannot be loaded, for a reason of dlopen(3).
  static func libzmq(_ reason: String) -> SystemRequirementError {
    SystemRequirementError(
      description:
        "libzmq, which kernels of other packages are spoken to by, cannot be loaded: \(reason). Install libzmq5"
    )
  }

  /// inotify(7) cannot watch `directory`.
  static func inotify(_ directory: String, _ error: UVError) -> SystemRequirementError {
    let wayOut =
      switch error {
      case .tooManyOpenFiles, .tooManyOpenFilesInSystem:
        ". Raise the limits fs.inotify.max_user_instances (sysctl) and of open files (ulimit -n)"
      case .noSpace: ". Raise the limit fs.inotify.max_user_watches (sysctl)"
      case .notSupported: ". The system has to provide inotify"
      default: ""
      }
    return SystemRequirementError(description: "inotify cannot watch \(directory): \(error)\(wayOut)")
  }
}
