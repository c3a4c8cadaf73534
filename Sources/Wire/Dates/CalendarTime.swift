import Glibc

/// A second in UTC by the Gregorian calendar, from the year 0 to 9999: what the formats of dates here can write.
struct CalendarTime {
  private static let range: ClosedRange<Int64> = -62_167_219_200...253_402_300_799

  private var fields = tm()

  var year: Int { Int(fields.tm_year) + 1900 }
  /// 1 for January.
  var month: Int { Int(fields.tm_mon) + 1 }
  var day: Int { Int(fields.tm_mday) }
  /// 0 for Sunday.
  var weekday: Int { Int(fields.tm_wday) }
  var hour: Int { Int(fields.tm_hour) }
  var minute: Int { Int(fields.tm_min) }
  var second: Int { Int(fields.tm_sec) }

  /// The time at `seconds` since 1970-01-01T00:00:00Z, or the nearest in the range.
  init(_ seconds: Int64) {
    var time = time_t(min(max(seconds, Self.range.lowerBound), Self.range.upperBound))
    gmtime_r(&time, &fields)
  }

  /// Seconds since 1970-01-01T00:00:00Z of a time in UTC. Days and seconds beyond the end of their month and minute count on
  /// (timegm(3)).
  ///
  /// - Parameter month: 1 for January.
  static func seconds(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) -> Int64 {
    var fields = tm()
    fields.tm_year = Int32(clamping: year - 1900)
    fields.tm_mon = Int32(clamping: month - 1)
    fields.tm_mday = Int32(clamping: day)
    fields.tm_hour = Int32(clamping: hour)
    fields.tm_min = Int32(clamping: minute)
    fields.tm_sec = Int32(clamping: second)
    return Int64(timegm(&fields))
  }
}
