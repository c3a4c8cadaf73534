/// Dates in messages and log lines: RFC 3339 in UTC with microseconds, `2026-01-02T03:04:05.678901Z`.
public enum Timestamp {
  private static let length = 27

  /// Formats a time since 1970-01-01T00:00:00Z. Years are 0 to 9999.
  public static func format(_ time: (seconds: Int64, microseconds: Int32)) -> String {
    let date = CalendarTime(time.seconds)
    // Every request has at least one; string interpolation takes several microseconds.
    var text: [UInt8] = []
    text.reserveCapacity(length)
    append(date.year, width: 4, "-", to: &text)
    append(date.month, width: 2, "-", to: &text)
    append(date.day, width: 2, "T", to: &text)
    append(date.hour, width: 2, ":", to: &text)
    append(date.minute, width: 2, ":", to: &text)
    append(date.second, width: 2, ".", to: &text)
    append(Int(time.microseconds), width: 6, "Z", to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  private static func append(_ value: Int, width: Int, _ separator: Unicode.Scalar, to text: inout [UInt8]) {
    appendDigits(value, width: width, to: &text)
    text.append(UInt8(ascii: separator))
  }

  /// At least `width` digits of a number that is not negative.
  private static func appendDigits(_ value: Int, width: Int, to text: inout [UInt8]) {
    if width > 1 || value >= 10 { appendDigits(value / 10, width: width - 1, to: &text) }
    text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10))
  }
}
