import Testing

import Wire

@Suite struct TimestampTests {
  @Test(arguments: [
    (0, 0, "1970-01-01T00:00:00.000000Z"), (951_782_399, 999_999, "2000-02-28T23:59:59.999999Z"),
    (951_782_400, 0, "2000-02-29T00:00:00.000000Z"), (1_795_305_600, 5, "2026-11-22T00:00:00.000005Z"),
    (4_107_542_399, 0, "2100-02-28T23:59:59.000000Z"), (4_107_542_400, 0, "2100-03-01T00:00:00.000000Z"),
  ])
  func timestampsAreThoseOfTheCalendar(seconds: Int64, microseconds: Int32, text: String) {
    #expect(Timestamp.format((seconds, microseconds)) == text)
  }
}
