import Bytes
import TestHTTPServer
@testable import Loop
import Testing
@testable import Wire

@testable import HTTPServer

extension HTTPServerTests {
  @Suite struct Origins {
    private static let answer: HTTPServer.Handler = { request, response in
      if request.target.path == "/refused" { throw HTTPErrorResponse(404, "There is nothing") }
      try await response.send(200, fields: ["X-Execution-ID": "a"], body: "x")
    }

    private static func options() -> HTTPServerOptions {
      var options = HTTPServerOptions()
      options.allowedOrigins = ["https://app.example", "http://localhost:3000", "chrome-extension://abc"]
        .compactMap {
          Origin($0)
        }
      return options
    }

    @Test(arguments: [
      ("https://app.example", "https://app.example", true),
      ("https://app.example:443", "https://app.example", true),
      ("http://app.example:80", "http://app.example", true),
      ("HTTPS://App.Example", "https://app.example", true),
      ("http://[::1]:8", "http://[::1]:8", true), ("https://app.example", "http://app.example", false),
      ("https://app.example:8443", "https://app.example", false),
      ("https://app.example", "https://b.app.example", false),
      ("chrome-extension://abc", "chrome-extension://abc", true),
      ("chrome-extension://abc", "https://abc", false),
    ])
    func `origins have a scheme, a host and a port`(one: String, other: String, isSame: Bool) throws {
      let (left, right) = (try #require(Origin(Bytes(one))), try #require(Origin(Bytes(other))))
      #expect((left == right) == isSame)
      #expect("\(right)" == other)
    }

    @Test(arguments: [
      "", "null", "app.example", "https://", "https://app.example/", "https://app.example/path", "https://*",
      "://app.example",
      "https:app.example", "https://user@app.example", "https://app.example:99999", "*",
    ])
    func `other texts are no origins`(text: String) { #expect(Origin(Bytes(text)) == nil) }

    @Test(arguments: ["https://app.example", "http://localhost:3000", "chrome-extension://abc"])
    func `pages of allowed sites can read responses and errors`(origin: String) async throws {
      try await withHTTPServer(options: Self.options(), handler: Self.answer) { server async throws in
        let client = try await server.connect()
        for (path, status) in [("/", 200), ("/refused", 404), ("/", 200)] {
          try await client.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\nOrigin: \(origin)\r\n\r\n")
          let head = try await client.answer().head
          #expect(head.status == status)
          #expect(head.fields.all("Access-Control-Allow-Origin") == [Bytes(origin)])
          #expect(head.fields.all("Vary") == ["Origin"])
          #expect(head.fields.first("Access-Control-Expose-Headers")?.contains("X-Execution-ID") == true)
          #expect(head.fields.first("Access-Control-Allow-Credentials") == nil)
        }
        await client.close()
      }
    }

    @Test func `other requests get no such fields`() async throws {
      try await withHTTPServer(options: Self.options(), handler: Self.answer) { server async throws in
        let client = try await server.connect()
        for (origin, status) in [
          ("", 200), ("Origin: http://localhost\r\n", 200), ("Origin: https://b.example\r\n", 403),
        ] {
          try await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\(origin)\r\n")
          let head = try await client.answer().head
          #expect(head.status == status)
          #expect(head.fields.first("Access-Control-Allow-Origin") == nil)
          // A cache must not give it to a page of an allowed site.
          #expect(head.fields.all("Vary") == (status == 200 ? ["Origin"] : []))
        }
        await client.close()
      }
    }

    @Test func `a preflight is answered before the hook`() async throws {
      let refuse: HTTPServer.Handler = { _, _ in throw HTTPErrorResponse(401, "no token") }
      try await withHTTPServer(options: Self.options(), before: refuse, handler: Self.answer) {
        server async throws in
        let client = try await server.connect()
        let common = "OPTIONS /any HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\n"
        for (fields, allowed) in [
          (
            "Access-Control-Request-Headers: authorization,content-type,x-mine\r\n",
            "authorization,content-type,x-mine"
          ),
          ("", "Authorization, Content-Type, X-Access-Token, X-API-Key"),
        ] {
          try await client.send("\(common)Access-Control-Request-Method: PUT\r\n\(fields)\r\n")
          let head = try await client.answer(to: "OPTIONS").head
          #expect(head.status == 204)
          #expect(head.fields.first("Access-Control-Allow-Origin") == "https://app.example")
          #expect(head.fields.first("Access-Control-Allow-Methods") == "DELETE, GET, HEAD, POST, PUT")
          #expect(head.fields.first("Access-Control-Allow-Headers") == Bytes(allowed))
          #expect(head.fields.first("Access-Control-Max-Age") != nil)
        }
        // Not one of these is a preflight of an allowed site.
        for request in [
          common,
          "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\n",
          "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nAccess-Control-Request-Method: PUT\r\n",
          "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nAccess-Control-Request-Method: PUT\r\n",
        ] {
          try await client.send(request + "\r\n")
          #expect(try await client.answer(to: String(request.prefix { $0 != " " })).head.status == 401)
        }
        await client.close()
      }
    }

    @Test func `an allowed origin does not excuse a host`() async throws {
      try await withHTTPServer(options: Self.options(), handler: Self.answer) { server async throws in
        let answer = try await server.exchange(
          "GET / HTTP/1.0\r\nHost: evil.example\r\nOrigin: https://app.example\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 421 "))
      }
    }
  }
}
