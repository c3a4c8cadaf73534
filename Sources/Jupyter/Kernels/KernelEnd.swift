/// Why nothing more comes from a kernel.
public enum KernelEnd: Error, Equatable, Sendable {
  /// Its process ended; says how, as far as that is known.
  case died(String)
  /// Its process had ended before it got the request that this is told to: whatever it asked for has not begun.
  case diedBefore(String)
  /// The way to it is lost; it may live.
  case connectionLost(String)
  /// It was replaced on request.
  case restarted
  /// It was shut down on request; says why.
  case shutDown(String)
}
