extension Duration {
  /// In whole nanoseconds, never negative, and so small that a point in time can be added.
  public var nanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    guard !overflow, product < UInt64.max / 4 else { return UInt64.max / 4 }
    return product + UInt64(attoseconds / 1_000_000_000)
  }
}
