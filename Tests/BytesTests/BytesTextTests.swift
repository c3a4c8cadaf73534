import Bytes
import Testing

@Suite struct BytesTextTests {
  @Test(arguments: [
    ("", 0, ""), ("abc", 3, "abc"), ("abc", 2, "ab…"), ("abc", 0, "…"), ("aé", 2, "a…"), ("aé", 3, "aé"),
    ("é", 1, "…"),
    ("a😀b", 4, "a…"), ("a😀b", 5, "a😀…"),
  ])
  func `an excerpt ends at a character`(text: String, limit: Int, excerpt: String) {
    #expect(Bytes(text).excerpt(atMost: limit) == excerpt)
  }

  @Test func `an excerpt of bytes that are not UTF-8`() {
    #expect(Bytes([0x80, 0x80, 0x80]).excerpt(atMost: 2) == "…")
    #expect(Bytes([0x61, 0xFF, 0xFF]).excerpt(atMost: 2) == "a\u{FFFD}…")
  }
}
