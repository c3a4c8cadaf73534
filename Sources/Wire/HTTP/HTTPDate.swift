public import Bytes

/// Dates in fields (RFC 9110, 5.6.7), as seconds since 1970-01-01T00:00:00Z without leap seconds.
public enum HTTPDate {
  /// An IMF-fixdate has the years 0 to 9999.
  private static let writable: ClosedRange<Int64> = -62_167_219_200...253_402_300_799

  /// `seconds` as an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`; the nearest possible one if that is out of range.
  public static func format(_ seconds: Int64) -> String {
    let seconds = min(max(seconds, writable.lowerBound), writable.upperBound)
    let days = floorDivided(seconds, by: 86_400)
    let second = seconds - days * 86_400
    let date = CivilDate(daysSince1970: days)
    let weekday = weekdays[Int(days + 4 - floorDivided(days + 4, by: 7) * 7)]
    let clock = "\(pad(second / 3600)):\(pad(second / 60 % 60)):\(pad(second % 60))"
    return "\(weekday), \(pad(date.day)) \(months[Int(date.month) - 1]) \(pad(date.year, to: 4)) \(clock) GMT"
  }

  /// Parses any of the three forms of RFC 9110, 5.6.7; nil for others. The day of the week is not checked. `now` (seconds
  /// since 1970) decides the century of two-digit years.
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

  /// No form is longer: `Wednesday, 09-Nov-94 08:49:37 GMT`.
  private static let longestLength = 40
  private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  private static func seconds(year: Int64, month: String, day: String, clock: String) -> Int64? {
    let parts = clock.split(separator: ":", omittingEmptySubsequences: false).map { number(String($0)) }
    guard let month = months.firstIndex(of: month), let day = number(day), (1...31).contains(day),
      parts.count == 3,
      let hour = parts[0], let minute = parts[1], let second = parts[2], hour < 24, minute < 60, second < 61
    else { return nil }
    let days = CivilDate(year: year, month: Int64(month) + 1, day: day).daysSince1970
    return days * 86_400 + hour * 3600 + minute * 60 + second
  }

  /// A year of four digits, or of two: of this century, unless that is more than 50 years ahead (RFC 9110, 5.6.7).
  private static func year(_ digits: String, now: Int64) -> Int64? {
    guard let number = number(digits) else { return nil }
    guard digits.utf8.count == 2 else { return digits.utf8.count == 4 ? number : nil }
    let thisYear = CivilDate(daysSince1970: floorDivided(now, by: 86_400)).year
    let year = thisYear - thisYear % 100 + number
    return year > thisYear + 50 ? year - 100 : year
  }

  private static func number(_ text: String) -> Int64? {
    guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy(\.isDigit) else { return nil }
    return Int64(text)
  }

  private static func pad(_ number: Int64, to length: Int = 2) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, length - digits.utf8.count)) + digits
  }
}

/// A day in the Gregorian calendar. The arithmetic counts years from March, so that the leap day is a year's last.
private struct CivilDate {
  var year: Int64
  var month: Int64
  var day: Int64

  init(year: Int64, month: Int64, day: Int64) {
    (self.year, self.month, self.day) = (year, month, day)
  }

  init(daysSince1970: Int64) {
    // Day 0 is 0000-03-01; 400 years have 146,097 days.
    let days = daysSince1970 + 719_468
    let era = floorDivided(days, by: 146_097)
    let dayOfEra = days - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  var daysSince1970: Int64 {
    let year = month <= 2 ? year - 1 : year
    let era = floorDivided(year, by: 400)
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }
}

private func floorDivided(_ number: Int64, by divisor: Int64) -> Int64 {
  let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
  return remainder < 0 ? quotient - 1 : quotient
}
