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

@Suite struct Base64Tests {
  @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")])
  func `texts are those of RFC 4648`(text: String, expected: String) {
    #expect(Base64.encode(Array(text.utf8)) == expected)
  }

  @Test func `the digits are those of the common alphabet`() {
    #expect(Base64.encode([0xFB, 0xEF, 0xFF]) == "++//")
  }
}
