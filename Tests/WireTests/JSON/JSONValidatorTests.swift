import Bytes
import Testing
@testable import Wire

@Suite struct JSONValidatorTests {
  /// Parses `text` complete, truncated after every byte, and with bytes after it.
  private func expectSound(_ text: Bytes, _ location: SourceLocation = #_sourceLocation) {
    #expect(kind(text) == nil, "\(text)", sourceLocation: location)
    let isScalar =
      text[0] != UInt8(ascii: "{") && text[0] != UInt8(ascii: "[") && text[0] != UInt8(ascii: "\"")
    if !isScalar {
      for length in 0..<text.count {
        let isWithinCharacter = text[length] & 0xC0 == 0x80
        let expected: JSONError.Kind = isWithinCharacter ? .invalidText : .unexpectedEnd
        #expect(kind(text[0..<length]) == expected, "\(text[0..<length])", sourceLocation: location)
      }
    }
    for trailing in ["x", "\"", "}", "]", ",", "{}", "\0", "\u{0B}", "\u{A0}"] {
      let longer = Bytes([UInt8](text) + Array(trailing.utf8))
      #expect(kind(longer) != nil, "\(longer)", sourceLocation: location)
    }
    let spaced = Bytes(Array(" \t\r\n".utf8) + [UInt8](text) + Array(" \t\r\n".utf8))
    #expect((try? JSONSlice.parse(spaced))?.bytes == text, sourceLocation: location)
  }

  private func kind(_ text: Bytes) -> JSONError.Kind? {
    do {
      _ = try JSONSlice.parse(text)
      return nil
    } catch {
      return error.kind
    }
  }

  @Test func validTextsAreAccepted() {
    let texts: [Bytes] = [
      "{}", "[]", "\"\"", "0", "-0", "1", "-1", "10", "1.5", "0.0", "-0.0e0", "1E+2", "1e-2", "12e3", "true",
      "false",
      "null", "[[]]", "[{}]", "{\"\":0}", "[1,2]", "[ 1 , 2 ]", "{ \"a\" : 1 , \"b\" : [ ] }", "[\"\u{7F}\"]",
      "[\"\u{FEFF}\"]", "[\"\u{2028}\"]", "[\"\u{10FFFF}\"]", #"["\u0000"]"#,
      #"["\"\\\/\b\f\n\r\t\uABCD\uabcd"]"#,
      #"["\uD800"]"#, #"["\uDC00\uD800"]"#, #"{"a":1,"a":1}"#, "[123456789012345678901234567890e400]",
      "[\"aé€😀 and some more than eight bytes, and more than thirty-two, and then more than sixty-four é\"]",
    ]
    for text in texts { expectSound(text) }
  }

  @Test func eachSyntaxErrorIsReported() {
    let cases: [(Bytes, JSONError.Kind)] = [
      ("", .unexpectedEnd), (" ", .unexpectedEnd), ("[1,]", .unexpectedByte), ("[,1]", .unexpectedByte),
      ("[1 2]", .unexpectedByte), ("[1}", .unexpectedByte), ("{\"a\":1]", .unexpectedByte),
      ("{\"a\"}", .unexpectedByte), ("{\"a\":}", .unexpectedByte), ("{\"a\":1,}", .unexpectedByte),
      ("{a:1}", .unexpectedByte), ("{'a':1}", .unexpectedByte), ("{1:1}", .unexpectedByte),
      ("{,}", .unexpectedByte),
      ("{\"a\":1 \"b\":2}", .unexpectedByte), ("{\"a\"::1}", .unexpectedByte), ("nul", .unexpectedEnd),
      ("nuLl", .unexpectedByte), ("True", .unexpectedByte), ("NaN", .unexpectedByte),
      ("Infinity", .unexpectedByte),
      ("-Infinity", .invalidNumber), ("-", .unexpectedEnd), ("1.", .unexpectedEnd), ("1e", .unexpectedEnd),
      ("[1.]", .invalidNumber), ("[.5]", .unexpectedByte), ("[+1]", .unexpectedByte),
      ("[01]", .invalidNumber),
      ("[-01]", .invalidNumber), ("[1e+]", .invalidNumber), ("[1.2.3]", .invalidNumber),
      ("[0x1]", .unexpectedByte),
      ("[1e1.5]", .invalidNumber), ("[--1]", .invalidNumber), ("\"a\nb\"", .controlCharacter),
      ("\"\u{00}\"", .controlCharacter), ("\"\u{1F}\"", .controlCharacter), (#""\x41""#, .invalidEscape),
      (#""\'""#, .invalidEscape), (#""\u12G4""#, .invalidEscape), (#""\u+123""#, .invalidEscape),
      (#""\U0041""#, .invalidEscape), ("\u{FEFF}{}", .byteOrderMark), ("{} {}", .trailingBytes),
      ("// x\n1", .unexpectedByte), ("1 /* x */", .trailingBytes), ("[\u{A0}1]", .unexpectedByte),
      ("[\u{0C}1]", .unexpectedByte), ("\"", .unexpectedEnd), (#""\"#, .unexpectedEnd),
      (#""\u12"#, .unexpectedEnd),
    ]
    for (text, expected) in cases { #expect(kind(text) == expected, "\(text)") }
  }

  @Test func textMustBeUTF8() {
    let wrong: [[UInt8]] = [
      [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x20], [0xE0, 0x9F, 0xBF], [0xE1, 0x80],
      [0xE1, 0x80, 0x20], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x8F, 0xBF, 0xBF],
      [0xF1, 0x80, 0x80],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF],
    ]
    for bytes in wrong {
      for padding in [0, 1, 7, 40, 100] {
        let text = [0x22] + [UInt8](repeating: 0x61, count: padding) + bytes + [0x22]
        #expect(kind(Bytes(text)) == .invalidText, "\(bytes) behind \(padding)")
      }
      #expect(kind(Bytes(bytes)) == .unexpectedByte)
    }
    let right: [[UInt8]] = [
      [0xC2, 0x80], [0xDF, 0xBF], [0xE0, 0xA0, 0x80], [0xED, 0x9F, 0xBF], [0xEE, 0x80, 0x80],
      [0xEF, 0xBF, 0xBF],
      [0xF0, 0x90, 0x80, 0x80], [0xF4, 0x8F, 0xBF, 0xBF],
    ]
    for bytes in right { #expect(kind(Bytes([0x22] + bytes + [0x22])) == nil, "\(bytes)") }
  }

  @Test func errorsHaveAnOffset() {
    #expect(throws: JSONError.self) { try JSONSlice.parse("[1, 2, x]") }
    do {
      _ = try JSONSlice.parse("[1, 2, x]")
    } catch {
      #expect(error.offset == 7)
      #expect(error.description == "unexpected byte in JSON at byte 7")
    }
  }

  @Test func nestingHasALimit() {
    func nested(_ depth: Int, _ open: String, _ close: String) -> Bytes {
      Bytes(String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth))
    }
    #expect(kind(nested(512, "[", "]")) == nil)
    #expect(kind(nested(513, "[", "]")) == .tooDeep)
    #expect(kind(nested(512, "{\"a\":", "}")) == nil)
    #expect(kind(nested(513, "{\"a\":", "}")) == .tooDeep)
    #expect(kind(nested(1_000_000, "[", "]")) == .tooDeep)
    #expect(throws: JSONError.self) { try JSONSlice.parse("[[]]", maximumDepth: 1) }
  }
}
