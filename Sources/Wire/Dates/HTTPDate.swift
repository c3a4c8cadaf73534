public import Bytes

/// Dates in fields (RFC 9110, 5.6.7), as seconds since 1970-01-01T00:00:00Z without leap seconds.
public enum HTTPDate {
  /// `seconds` as an IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`, or the nearest in the years 0 to 9999.
  public static func format(_ seconds: Int64) -> String {
    let date = CalendarTime(seconds)
    let day = "\(weekdays[date.weekday]), \(pad(date.day)) \(months[date.month - 1]) \(pad(date.year, to: 4))"
    return "\(day) \(pad(date.hour)):\(pad(date.minute)):\(pad(date.second)) GMT"
  }

  /// Parses any of the three forms of RFC 9110; nil for anything else. The day of the week is not checked. `now` (seconds
  /// since 1970) decides the century of a year with two digits.
  public static func parse(_ value: Bytes, now: Int64) -> Int64? {
    guard let text = value.ascii(atMost: longestLength) else { return nil }
    let words = text.utf8.split { $0 == .space || $0 == UInt8(ascii: "-") }.map { String(Substring($0)) }
    switch words.count {
    case 6 where words[0].hasSuffix(",") && words[5] == "GMT":  // Sun, 06 Nov 1994 or Sunday, 06-Nov-94
      guard let year = year(words[3], now: now) else { return nil }
      return seconds(year: year, month: words[2], day: words[1], clock: words[4])
    case 5 where words[4].utf8.count == 4:  // Sun Nov  6 08:49:37 1994
      guard let year = year(words[4], now: now) else { return nil }
      return seconds(year: year, month: words[1], day: words[2], clock: words[3])
    default: return nil
    }
  }

  /// The longest form is `Wednesday, 09-Nov-94 08:49:37 GMT`.
  private static let longestLength = 40
  private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  private static func seconds(year: Int, month: String, day: String, clock: String) -> Int64? {
    let parts = clock.split(separator: ":", omittingEmptySubsequences: false).map { number(String($0)) }
    guard let month = months.firstIndex(of: month), let day = number(day), (1...31).contains(day),
      parts.count == 3,
      let hour = parts[0], let minute = parts[1], let second = parts[2], hour < 24, minute < 60, second < 61
    else { return nil }
    return CalendarTime.seconds(
      year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)
  }

  /// A year of four digits, or of two: in this century, unless it is more than 50 years ahead (RFC 9110, 5.6.7).
  private static func year(_ digits: String, now: Int64) -> Int? {
    guard let number = number(digits) else { return nil }
    guard digits.utf8.count == 2 else { return digits.utf8.count == 4 ? number : nil }
    let thisYear = CalendarTime(now).year
    let year = thisYear - thisYear % 100 + number
    return year > thisYear + 50 ? year - 100 : year
  }

  private static func number(_ text: String) -> Int? {
    guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy(\.isDigit) else { return nil }
    return Int(text)
  }

  private static func pad(_ number: Int, to length: Int = 2) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, length - digits.utf8.count)) + digits
  }
}
