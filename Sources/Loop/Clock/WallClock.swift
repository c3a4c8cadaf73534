import CUV

/// The time of day. It may jump; `EventLoop.now` measures durations.
public enum WallClock {
  /// The time since 1970-01-01T00:00:00Z.
  public static func now() -> (seconds: Int64, microseconds: Int32) {
    var time = uv_timeval64_t()
    // Fails only for an address that cannot be written to.
    _ = uv_gettimeofday(&time)
    return (time.tv_sec, time.tv_usec)
  }
}
