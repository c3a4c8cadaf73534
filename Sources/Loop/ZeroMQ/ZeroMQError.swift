import CZMQ
import Glibc

extension UVError {
  /// What libzmq said last on this thread. It has numbers of its own for a context that is being closed, which is
  /// what `cancelled` means everywhere else.
  static var ofZeroMQ: UVError {
    let number = zmq_errno()
    return number == ETERM ? .cancelled : UVError(systemError: number)
  }
}

/// Calls libzmq until no signal interrupts it; nil where it would have to wait.
///
/// - Throws: what else `call` says with -1.
func unlessBlocked(_ call: () -> CInt) throws(UVError) -> CInt? {
  while true {
    let result = call()
    if result >= 0 { return result }
    switch zmq_errno() {
    case EINTR: continue
    case EAGAIN: return nil
    default: throw UVError.ofZeroMQ
    }
  }
}

/// libzmq's errors beyond the system's are macros with arithmetic in them, which Swift does not import.
private let ETERM: CInt = 156_384_712 + 53
