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

extension Duration {
  /// Whole nanoseconds: zero for a negative duration, and at most a quarter of the range, so that a time can be added.
  public var nanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    guard !overflow, product < UInt64.max / 4 else { return UInt64.max / 4 }
    return product + UInt64(attoseconds / 1_000_000_000)
  }

  /// Whole milliseconds for a libuv timer, rounded up, plus one because libuv rounds its clock down: the timer is never
  /// early. Zero for a negative duration.
  var milliseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let fraction = UInt64((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1000)
    // libuv adds the current time; a quarter of the range leaves room for that.
    guard !overflow, product < UInt64.max / 4 else { return UInt64.max / 4 }
    return self == .zero ? 0 : product + fraction + 1
  }
}
