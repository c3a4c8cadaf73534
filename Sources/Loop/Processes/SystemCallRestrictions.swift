import CUV

/// What this system can take from its processes without privileges.
public enum SystemCallRestrictions {
  /// The version of Landlock, which restricts access to files, signals and TCP; 0 if there is none.
  ///
  /// https://docs.kernel.org/userspace-api/landlock.html
  public static let landlockVersion = Int(max(landlockABI(), 0))

  /// True if system calls can be filtered (seccomp(2)).
  public static let hasFilters = canFilterSystemCalls()
}
