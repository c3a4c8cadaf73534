/// Why a kernel sends no more messages.
public enum KernelEnd: Error, Equatable, Sendable {
  /// Its process ended; how, as far as it is known.
  case died(String)
  /// Its process ended before it received the request, so the code has not run.
  case diedBefore(String)
  /// The connection is lost; the kernel may still run.
  case connectionLost(String)
  /// It was replaced on request.
  case restarted
  /// It was shut down; the reason.
  case shutDown(String)
}

extension KernelEnd {
  /// The same for a request that the kernel has not received.
  var beforeRequest: KernelEnd {
    if case .died(let how) = self { .diedBefore(how) } else { self }
  }

  /// The reason in words.
  public var explanation: String {
    switch self {
    case .died(let how), .diedBefore(let how): how
    case .connectionLost(let reason): "the connection to the kernel was lost: \(reason)"
    case .restarted: "the kernel was restarted"
    case .shutDown(let reason): reason
    }
  }
}
