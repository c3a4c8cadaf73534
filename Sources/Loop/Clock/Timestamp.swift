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
    // Every request has at least one: of strings put together it costs several microseconds.
    var text: [UInt8] = []
    text.reserveCapacity(length)
    append(year, width: 4, "-", to: &text)
    append(month, width: 2, "-", to: &text)
    append(day, width: 2, "T", to: &text)
    append(second / 3600, width: 2, ":", to: &text)
    append(second / 60 % 60, width: 2, ":", to: &text)
    append(second % 60, width: 2, ".", to: &text)
    append(Int64(microseconds), width: 6, "Z", to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// `2026-01-02T03:04:05.678901Z`
  private static let length = 27

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

  private static func append(_ value: Int64, width: Int, _ separator: Unicode.Scalar, to text: inout [UInt8])
  {
    appendDigits(value, width: width, to: &text)
    text.append(UInt8(ascii: separator))
  }

  /// At least `width` digits of a number that is not negative.
  private static func appendDigits(_ value: Int64, width: Int, to text: inout [UInt8]) {
    if width > 1 || value >= 10 { appendDigits(value / 10, width: width - 1, to: &text) }
    text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10))
  }
}
