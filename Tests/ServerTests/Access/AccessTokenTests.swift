import Bytes
import Testing
import Wire

@testable import Server

@Suite struct AccessTokenTests {
  @Test(arguments: ["a-token-of-16-ch", "a-token-of-16-ch\n", "a-token-of-16-ch\r\n"])
  func `one line break at the end is taken off`(text: String) throws {
    let token = try AccessToken(Bytes(text))
    #expect(token.matches("a-token-of-16-ch") && !token.isShort)
    #expect(!token.matches("a-token-of-16-c") && !token.matches("a-token-of-16-ch\n") && !token.matches(""))
  }

  @Test(arguments: [
    ("", AccessToken.Failure.empty), ("\n", .empty), ("\r\n", .empty), ("a b", .hasWhiteSpace),
    (" a", .hasWhiteSpace),
    ("a\n\n", .hasWhiteSpace), ("a\tb", .hasWhiteSpace), ("a\u{0}", .hasControlCharacters),
    ("a\u{7f}", .hasControlCharacters), ("a\u{1b}[0m", .hasControlCharacters), ("\u{e4}", .isNotASCII),
    (String(repeating: "a", count: AccessToken.longest + 1), .tooLong),
  ])
  func `what cannot be sent in a header field is refused`(text: String, failure: AccessToken.Failure) {
    #expect(throws: failure) { try AccessToken(Bytes(text)) }
  }

  @Test func `a short token is one`() throws {
    #expect(try AccessToken("secret").isShort)
    #expect(try AccessToken(Bytes(String(repeating: "~", count: AccessToken.longest))).isShort == false)
  }

  @Test(
    arguments: [
      (["Authorization": "Bearer a"], ["a"]), (["authorization": "bearer   a"], ["a"]),
      (["Authorization": "BEARER a b"], ["a b"]), (["Authorization": "Bearer"], []),
      (["Authorization": "Bearer "], []),
      (["Authorization": "Basic a"], []), (["Authorization": "Bearera"], []), (["Authorization": "a"], []),
      (["X-Access-Token": "a"], ["a"]), (["x-api-key": "a"], ["a"]), (["X-API-Key": ""], []),
      (["X-API-Key": "a", "Authorization": "Basic c", "X-Access-Token": "b"], ["b", "a"]),
      (["Cookie": "token=a"], []), ([:], []),
    ] as [(HTTPFields, [String])])
  func `the token is in one of three fields`(fields: HTTPFields, expected: [String]) {
    #expect(fields.credentials == expected.map { Bytes($0) })
  }
}
