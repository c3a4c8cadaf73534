import Bytes
import Testing

@testable import Wire

@Suite struct HTTPTargetTests {
  @Test func aPathIsDecodedOnceAndPartByPart() throws {
    let target = try RequestTarget("/files/a%252Fb/c%2Fd%20e?path=x", method: "GET")
    #expect(target.path == "/files/a%252Fb/c%2Fd%20e")
    #expect(try target.decodedPath() == "/files/a%2Fb/c/d e")
    #expect(try RequestTarget.decode("c%2Fd%20e") == "c/d e")
  }

  @Test func aQueryIsAForm() throws {
    let target = try RequestTarget("/f?path=a+b%2B%26&x&=y&path=2&q=?=", method: "GET")
    #expect(try target.query("path") == "a b+&")
    #expect(try target.query("x") == "")
    #expect(try target.query("q") == "?=")
    #expect(try target.query("z") == nil)
    #expect(try target.queryItems().map(\.name) == ["path", "x", "", "path", "q"])
    #expect(try RequestTarget("/f?", method: "GET").query == "")
    #expect(try RequestTarget("/f", method: "GET").queryItems().isEmpty)
  }

  @Test func anAbsoluteTargetNamesItsHost() throws {
    let target = try RequestTarget("HTTP://Example.com:81/a?b", method: "GET")
    #expect(target.host?.name == "example.com")
    #expect((target.path, target.query) == ("/a", "b"))
    #expect(try RequestTarget("http://a", method: "GET").path == "/")
    #expect(try RequestTarget("https://a?b=/", method: "GET").query == "b=/")
    #expect(try RequestTarget("*", method: "OPTIONS").path == "*")
  }

  @Test(arguments: [
    "*", "a", "a/b", "localhost:80", "ftp://a/", "http:/a", "http://", "http:///a", "http://u@a/", "", "?a",
  ])
  func otherTargetsAreRefused(_ target: String) {
    #expect(throws: HTTPProtocolError.self) { try RequestTarget(Bytes(target), method: "GET") }
    #expect(throws: HTTPProtocolError.self) { try RequestTarget("localhost:80", method: "CONNECT") }
  }

  @Test(arguments: ["%", "%2", "%G0", "%0G", "%%41", "% 1", "%+1", "%ü"])
  func wrongPercentEncodingIsRefused(_ text: String) {
    #expect(throws: HTTPProtocolError.self) { try PercentCoding.decode(Bytes(text)) }
    #expect(throws: HTTPProtocolError.self) {
      try RequestTarget(Bytes("/\(text)"), method: "GET").decodedPath()
    }
    #expect(throws: HTTPProtocolError.self) {
      try RequestTarget(Bytes("/?a=\(text)"), method: "GET").queryItems()
    }
  }

  @Test func decodedTextIsUTF8AndPathsContainNoNUL() throws {
    #expect(throws: HTTPProtocolError.self) { try PercentCoding.decodeText("%FF") }
    #expect(throws: HTTPProtocolError.self) { try RequestTarget("/%00", method: "GET").decodedPath() }
    #expect(try PercentCoding.decode("%ff%00") == Bytes([0xFF, 0]))
    #expect(try PercentCoding.decodeText("gr%C3%bcn+") == "grün+")
  }

  @Test func encodingKeepsUnreservedCharacters() throws {
    #expect(PercentCoding.encode("a-._~9/ü +", keeping: "/") == "a-._~9/%C3%BC%20%2B")
    #expect(try PercentCoding.decodeText(Bytes(PercentCoding.encode("/%?#&=ü\0"))) == "/%?#&=ü\0")
  }

  @Test(arguments: [
    ("bytes=0-4", ByteRange.part(0..<5)), ("Bytes=2-", .part(2..<10)), ("bytes=-3", .part(7..<10)),
    ("bytes=-30", .part(0..<10)),
    ("bytes=9-100", .part(9..<10)), ("bytes= 0-0 ", .part(0..<1)),
    ("bytes=0-99999999999999999999", .part(0..<10)),
    ("bytes=10-", .unsatisfiable), ("bytes=-0", .unsatisfiable),
    ("bytes=99999999999999999999-", .unsatisfiable),
    ("bytes=5-4", .whole), ("bytes=", .whole), ("bytes", .whole), ("bytes=-", .whole), ("bytes=a-b", .whole),
    ("items=0-4", .whole), ("bytes=0-1,3-4", .whole), ("bytes=1", .whole), ("bytes=--1", .whole),
    ("", .whole),
    ("bytes=0x0-1", .whole), ("bytes=-9223372036854775808", .part(0..<10)),
  ])
  func aRangeIsOfTheBytesThatExist(_ value: String, _ range: ByteRange) {
    #expect(ByteRange(Bytes(value), size: 10) == range)
  }

  @Test func anEmptyRepresentationHasNoRange() {
    #expect(ByteRange("bytes=0-", size: 0) == .unsatisfiable)
    #expect(ByteRange("bytes=-5", size: 0) == .unsatisfiable)
    #expect(ByteRange(nil, size: 0) == .whole)
    #expect(ByteRange.part(0..<5).contentRange(size: 10) == "bytes 0-4/10")
    #expect(ByteRange.unsatisfiable.contentRange(size: 10) == "bytes */10")
    #expect(ByteRange.whole.contentRange(size: 10) == nil)
  }

  @Test func entityTagsAreListed() {
    #expect(
      EntityTag.list(#""a", W/"b",, "" "#) == [
        .init(opaque: "a"), .init(opaque: "b", isWeak: true), .init(opaque: ""),
      ])
    #expect(EntityTag.list("") == [])
    for value in ["a", "\"a", "w/\"a\"", "\"a\" \"b\"", "\"a b\"", "W/a", "*"] {
      #expect(EntityTag.list(Bytes(value)) == nil, "\(value)")
    }
    #expect(EntityTag(opaque: "x", isWeak: true).fieldValue == "W/\"x\"")
  }

  @Test func tagsAreComparedStronglyForIfMatch() {
    let current = EntityTag(opaque: "a")
    for value in ["*", " * ", #""a""#, #""b", "a""#] {
      #expect(EntityTag.match(Bytes(value), isMetBy: current))
    }
    for value in ["", "a", #""b""#, #"W/"a""#, #""a" "b""#] {
      #expect(!EntityTag.match(Bytes(value), isMetBy: current))
    }
    #expect(!EntityTag.match(#""a""#, isMetBy: EntityTag(opaque: "a", isWeak: true)))
  }

  @Test func tagsAreComparedWeaklyForIfNoneMatch() {
    let tag = EntityTag(opaque: "a")
    #expect(EntityTag.noneMatch(#""b", W/"a""#, isMetBy: tag))
    #expect(EntityTag.noneMatch(" * ", isMetBy: tag))
    #expect(!EntityTag.noneMatch(#""b""#, isMetBy: tag))
    #expect(!EntityTag.noneMatch("a", isMetBy: tag))
    #expect(tag.stronglyMatches(tag))
    #expect(!tag.stronglyMatches(EntityTag(opaque: "a", isWeak: true)))
  }

  @Test(
    arguments: [
      (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
      (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
      (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"), (1_795_390_842, "Sun, 22 Nov 2026 23:40:42 GMT"),
    ] as [(Int64, String)])
  func datesAreWrittenAndRead(_ seconds: Int64, _ text: String) {
    #expect(HTTPDate.format(seconds) == text)
    #expect(HTTPDate.parse(Bytes(text), now: 0) == seconds)
  }

  @Test(arguments: [
    (Int64.min, "Sat, 01 Jan 0000 00:00:00 GMT"), (-62_167_219_201, "Sat, 01 Jan 0000 00:00:00 GMT"),
    (253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT"), (.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
  ])
  func aDateThatCannotBeWrittenIsTheNearestThatCan(seconds: Int64, text: String) {
    #expect(HTTPDate.format(seconds) == text)
  }

  @Test func aCombiningMarkHidesNothing() throws {
    let target = try RequestTarget("/f?path=\u{301}x&\u{301}y=1", method: "GET")
    #expect(try target.query("path") == "\u{301}x")
    #expect(try target.query("\u{301}y") == "1")
  }

  @Test func obsoleteDatesAreParsed() {
    let now: Int64 = 1_795_390_842
    #expect(HTTPDate.parse("Sunday, 06-Nov-94 08:49:37 GMT", now: now) == 784_111_777)
    #expect(HTTPDate.parse("Sun Nov  6 08:49:37 1994", now: now) == 784_111_777)
    #expect(HTTPDate.parse("Monday, 06-Nov-28 08:49:37 GMT", now: now) == 1_857_113_377)
    for text in [
      "", "yesterday", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 24:49:37 GMT",
      "Sun, 06 Nom 1994 08:49:37 GMT",
      "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
      "784111777",
      "Sun, 06 Nov 99999 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
    ] {
      #expect(HTTPDate.parse(Bytes(text), now: now) == nil, "\(text)")
    }
  }
}
