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
