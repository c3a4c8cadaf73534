import Testing

@testable import Jupyter

@Suite struct ServerURLTests {
  @Test func `a URL is split into its parts`() throws {
    let url = try ServerURL("https://hub.example:8443/user/me/?token=a%20b#x")
    #expect(url.isSecure && url.host == "hub.example" && url.port == 8443)
    #expect(url.basePath == "/user/me")
    #expect(url.token == "a b")
  }

  @Test(arguments: [
    ("http://localhost", "localhost", 80), ("https://h", "h", 443), ("http://[::1]:8888/", "::1", 8888),
    ("HTTP://127.0.0.1:1?token=", "127.0.0.1", 1),
  ])
  func whatIsLeftOutHasItsDefault(text: String, host: String, port: Int) throws {
    let url = try ServerURL(text)
    #expect(url.host == host && Int(url.port) == port)
    #expect(url.basePath.isEmpty)
  }

  @Test(arguments: [
    "localhost:8888", "ftp://h", "http://", "http://:80", "http://h:0", "http://h:65536", "http://h:x",
    "http://[::1", "http://u:p@h", "http://[::1]x",
  ])
  func whatIsNoURLSaysWhy(text: String) {
    #expect(throws: InvalidServerURL.self) { try ServerURL(text) }
  }
}
