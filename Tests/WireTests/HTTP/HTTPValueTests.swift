import Bytes
import Testing

@testable import Wire

@Suite struct HTTPValueTests {
  @Test func fieldNamesAreComparedWithoutCaseAndKeepTheirOrder() {
    var fields: HTTPFields = ["Accept": "a", "X-b": "1", "ACCEPT": "b"]
    #expect(fields.first("accept") == "a")
    #expect(fields.all("Accept") == ["a", "b"])
    #expect(fields.first("Accept-") == nil)
    fields.set("accept", "c")
    #expect(fields.lines.map(\.name) == ["X-b", "accept"])
    fields.append("x-B", "2")
    fields.remove("X-B")
    #expect(fields.lines.map(\.value) == ["c"])
  }

  @Test func namesThatDifferInMoreThanCaseAreDifferent() {
    // '@' and '`', '[' and '{', '^' and '~' differ in the bit that makes letters small.
    for (left, right) in [("@", "`"), ("[", "{"), ("^", "~"), ("\r", "-"), ("K", "\u{212A}")] {
      #expect(!HTTPFields.isSame(left, right))
    }
    #expect(HTTPFields.isSame("azAZ-09", "AZaz-09"))
  }

  @Test func tokensAreFoundInLists() {
    let fields: HTTPFields = ["Connection": "keep-alive,\t Upgrade ", "connection": ", Close"]
    #expect(fields.list("Connection", contains: "upgrade"))
    #expect(fields.list("Connection", contains: "close"))
    #expect(!fields.list("Connection", contains: "keep"))
  }

  @Test func theByteClassesAreThoseOfTheRFC() {
    let token = Set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    for byte in UInt8.min...UInt8.max {
      #expect(byte.isToken == token.contains(byte), "\(byte)")
      #expect(byte.isFieldContent == (byte == 9 || byte >= 32 && byte != 127), "\(byte)")
    }
  }

  @Test(arguments: [
    (HTTPVersion.http11, "", true), (.http11, "Close", false), (.http10, "", false),
    (.http10, "Keep-Alive", true),
    (.http10, "keep-alive, close", false), (.http11, "upgrade,close", false),
  ])
  func aConnectionIsKeptByDefaultIn11Only(_ version: HTTPVersion, _ option: String, _ keeps: Bool) {
    let fields: HTTPFields = ["Connection": option]
    #expect(
      HTTPRequestHead(method: "GET", target: "/", version: version, fields: fields).keepsConnection == keeps)
    #expect(HTTPResponseHead(status: 200, version: version, fields: fields).keepsConnection == keeps)
  }

  @Test func headsAreWrittenAsTheyAreParsed() throws {
    let response = HTTPResponseHead(status: 404, fields: ["Content-Length": "0", "X": ""])
    #expect(try response.encode() == "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nX: \r\n\r\n")
    let request = HTTPRequestHead(method: "GET", target: "/ü?a", fields: ["Host": "a"])
    #expect(try request.encode() == "GET /ü?a HTTP/1.1\r\nHost: a\r\n\r\n")
  }

  @Test func nothingEscapesFromAHead() {
    for value in ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0b"] {
      #expect(throws: HTTPProtocolError.self) {
        try HTTPResponseHead(status: 200, fields: ["X": value]).encode()
      }
      #expect(throws: HTTPProtocolError.self) { try HTTPResponseHead(status: 200, reason: value).encode() }
      #expect(throws: HTTPProtocolError.self) { try HTTPRequestHead(method: "GET", target: value).encode() }
      #expect(throws: HTTPProtocolError.self) { try HTTPRequestHead(method: value, target: "/").encode() }
      #expect(throws: HTTPProtocolError.self) {
        try HTTPResponseHead(status: 200, fields: [value: "x"]).encode()
      }
    }
    #expect(throws: HTTPProtocolError.self) { try HTTPResponseHead(status: 20).encode() }
    #expect(throws: HTTPProtocolError.self) { try HTTPResponseHead(status: 200, fields: ["": "x"]).encode() }
    #expect(throws: HTTPProtocolError.self) { try HTTPRequestHead(method: "", target: "/").encode() }
    #expect(throws: HTTPProtocolError.self) { try HTTPRequestHead(method: "GET", target: "/a b").encode() }
  }

  @Test func chunksAreWrittenAroundTheirPieces() {
    #expect(ChunkedEncoder.chunk(["ab", "", "c"]) == ["3\r\nabc\r\n"])
    #expect(ChunkedEncoder.chunk(["x"], isLast: true) == ["1\r\nx\r\n0\r\n\r\n"])
    let long = Bytes([UInt8](repeating: 0x61, count: 70_000))
    #expect(ChunkedEncoder.chunk(["a", long, "b"]) == ["11172\r\na", long, "b\r\n"])
  }

  @Test func everyUsedStatusHasAReason() {
    for status in [
      200, 201, 204, 206, 304, 400, 404, 405, 408, 413, 414, 415, 416, 421, 422, 429, 431, 500, 501, 503, 505,
    ] {
      #expect(!HTTPStatus.reason(of: status).isEmpty)
    }
    #expect(HTTPStatus.reason(of: 599) == "")
  }

  @Test(arguments: [
    "localhost", "LOCALHOST:49999", "localhost.", "kernel.localhost", "kernel.localhost.:80", "box",
    "my_box-2",
    "printer.local", "Box.Internal:1", "kernels.default.svc", "127.0.0.1:1", "10.0.0.1", "0.0.0.0",
    "255.255.255.255", "127.1", "1.2.65535", "[::1]:80", "[2001:db8::1]", "[::ffff:10.0.0.1]",
  ])
  func whatTheDNSCannotMakeLeadHereIsLocal(_ text: String) throws {
    #expect(try #require(HTTPHost(Bytes(text))).isLocal)
  }

  @Test(arguments: [
    "example.com", "evil.example.", "localhost.example.com", "127.0.0.1.example.com", "localhost.com",
    "xlocal.com",
    ".localhost", ".local.", "a.notlocalhost", "box.internal.example", "evil%2eexample", "evil,example",
    "127.0.0.256",
    "256.1", "1.2.65536", "1.2.3.4.5", "1.2.3.x", "1..3", "svc.cluster.example:80",
  ])
  func whatSomebodyMayOwnIsNotLocal(_ text: String) throws {
    #expect(try #require(HTTPHost(Bytes(text))).isLocal == false)
  }

  @Test func aHostHasANameAndPerhapsAPort() {
    #expect(HTTPHost("Example.com:8080")?.name == "example.com")
    #expect(HTTPHost("Example.com:8080")?.port == 8080)
    #expect(HTTPHost("a:")?.port == nil)
    #expect(HTTPHost("[2001:DB8::1]:443")?.name == "2001:db8::1")
    for text in [
      "", ":1", "a:b", "a:65536", "[]", "[::1", "[::1]1", "a b", "a/b", "a@b", "a?b", "ü", "[g::1]",
    ] {
      #expect(HTTPHost(Bytes(text)) == nil, "\(text)")
    }
  }
}
