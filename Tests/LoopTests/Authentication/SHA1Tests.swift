import Bytes
import Testing

@testable import Loop

@Suite struct SHA1Tests {
  @Test(arguments: [
    ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"), ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
  ]) func `digests are those of RFC 3174`(text: String, expected: String) {
    let digest = SHA1.digest(Bytes(text)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    #expect(digest == expected)
  }
}
