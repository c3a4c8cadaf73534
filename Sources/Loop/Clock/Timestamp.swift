/// Dates as messages and log lines carry them: RFC 3339 in UTC, with microseconds.
public enum Timestamp {
  /// The time now.
  public static func now() -> String {
    let time = WallClock.now()
    return format(seconds: time.seconds, microseconds: time.microseconds)
  }

  /// - Parameters:
  ///   - seconds: since 1970-01-01T00:00:00Z, not negative.
  ///   - microseconds: of that second.
  static func format(seconds: Int64, microseconds: Int32) -> String {
    let (year, month, day) = civilDate(daysSinceEpoch: seconds / 86_400)
    let second = seconds % 86_400
    let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    let time = "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
    return "\(date)T\(time).\(padded(Int64(microseconds), 6))Z"
  }

  /// The proleptic Gregorian date, counted in 400-year eras that begin on 1 March.
  private static func civilDate(daysSinceEpoch: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = daysSinceEpoch + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
