import Glibc

/// The signals that this program sends or receives.
public enum Signal: CInt, Sendable {
  /// SIGINT, Control-C
  case interrupt = 2
  /// SIGKILL; cannot be watched.
  case kill = 9
  /// SIGUSR1, for tests
  case user1 = 10
  /// SIGUSR2, for tests
  case user2 = 12
  /// SIGTERM
  case terminate = 15
  /// SIGCHLD
  case child = 17
}
