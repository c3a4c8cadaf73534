import Glibc

/// The signals that the program has to do with.
public enum Signal: CInt, Sendable, CaseIterable {
  /// SIGHUP
  case hangUp = 1
  /// SIGINT, Control-C
  case interrupt = 2
  /// SIGQUIT
  case quit = 3
  /// SIGKILL; cannot be watched.
  case kill = 9
  /// SIGUSR1
  case user1 = 10
  /// SIGUSR2
  case user2 = 12
  /// SIGTERM
  case terminate = 15
  /// SIGCHLD
  case child = 17
  /// SIGCONT
  case `continue` = 18
  /// SIGSTOP; cannot be watched.
  case stop = 19
}
