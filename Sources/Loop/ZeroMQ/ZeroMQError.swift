import CZMQ
import Glibc

extension UVError {
  /// The last error of libzmq on this thread. ETERM, which means that the context is being closed, becomes `cancelled`.
  static var ofZeroMQ: UVError {
    let number = errno
    return number == ETERM ? .cancelled : UVError(systemError: number)
  }
}

/// Calls libzmq, again after EINTR; nil if the call would block.
///
/// - Throws: the `UVError` of any other failure.
func unlessBlocked(_ call: () -> CInt) throws(UVError) -> CInt? {
  while true {
    let result = call()
    if result >= 0 { return result }
    switch errno {
    case EINTR: continue
    case EAGAIN: return nil
    default: throw UVError.ofZeroMQ
    }
  }
}

/// `ZMQ_HAUSNUMERO + 53`: Swift does not import macros with arithmetic.
private let ETERM: CInt = 156_384_712 + 53
