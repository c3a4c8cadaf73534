import TestHTTPServer
@testable import Loop
@testable import Bytes
import Testing
@testable import Wire

@testable import HTTPServer

extension HTTPServerTests {
  @Suite struct Refusals {
    @Test(arguments: [
      ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
      ("\u{16}\u{3}\u{1}", 400),
      ("GET / HTTP/1.1\nHost: a\n\n", 400), ("GET / HTTP/3.0\r\n\r\n", 505),
      ("CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
      ("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
      ("PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: br, chunked\r\n\r\n", 501),
      ("PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
      ("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 101\r\n\r\n", 413),
      (
        "PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n"
          + String(repeating: "x", count: 101), 413
      ),
      ("GET /\(String(repeating: "x", count: 200)) HTTP/1.1\r\n", 414),
      ("GET / HTTP/1.1\r\nX: \(String(repeating: "x", count: 300))\r\n", 431),
      ("GET / HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\n\r\n", 417),
    ])
    func whatCannotBeTakenIsAnsweredAndTheConnectionEnds(_ text: String, _ status: Int) async throws {
      var options = HTTPServerOptions()
      options.maximumBodyLength = 100
      options.limits.targetLength = 100
      options.limits.fieldSectionLength = 200
      try await withHTTPServer(options: options, handler: count) { server async throws in
        let answer = try await server.exchange(text + (status == 417 ? "nonsense\r\n" : ""))
        #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer)")
        #expect(answer.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"))
        #expect(answer.contains("\r\nConnection: close\r\n"))
        #expect(
          answer.hasSuffix("\n")
            && answer.split(separator: "\r\n\r\n").last?.dropLast().contains("\n") == false)
      }
    }

    @Test func aRefusalByAHandlerLeavesTheConnectionOpen() async throws {
      try await withHTTPServer(handler: { request, _ in
        throw HTTPErrorResponse(429, "Too many\r\ncontexts", fields: ["Retry-After": "1"])
      }) { server async throws in
        let client = try await server.connect()
        for _ in 0..<2 {
          try await client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")
          let answer = try await client.answer()
          #expect(answer.head.status == 429)
          #expect(answer.body == "Too many contexts\n")
          #expect(answer.head.fields.first("Retry-After") == "1")
        }
        await client.close()
      }
    }

    @Test func theBeforeHookRefusesRequestsOrAddsFields() async throws {
      let before: HTTPServer.Handler = { request, response in
        response.standingFields = ["X-Before": "yes"]
        if request.fields.first("Authorization") != "Bearer a" { throw HTTPErrorResponse(401, "no token") }
      }
      try await withHTTPServer(before: before, handler: count) { server async throws in
        let client = try await server.connect()
        for (token, status) in [("b", 401), ("a", 200), ("b", 401)] {
          try await client.send(
            "PUT / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(token)\r\nContent-Length: 2\r\n\r\nab"
          )
          let answer = try await client.answer()
          #expect(answer.head.status == status && answer.body == (status == 200 ? "2" : "no token\n"))
          #expect(answer.head.fields.first("X-Before") == (status == 200 ? "yes" : nil))
        }
        await client.close()
      }
    }

    @Test func anInternalErrorHasTheRequestIDInResponseAndLog() async throws {
      struct Secret: Error {}
      try await withHTTPServer(handler: { _, _ in throw Secret() }) { server async throws in
        let client = try await server.connect()
        try await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let answer = try await client.answer()
        let id = String(try #require(answer.head.fields.first("X-Request-ID")))
        #expect(answer.head.status == 500)
        #expect(answer.body.contains(id) && !answer.body.contains("Secret"))
        #expect(
          server.log.all.contains { $0.hasPrefix("error ") && $0.contains("Secret") && $0.contains(id) })
        await client.close()
      }
    }

    @Test func aMissingResponseIsAnInternalError() async throws {
      try await withHTTPServer(handler: { _, _ in }) { server async throws in
        #expect(try await server.exchange("GET / HTTP/1.0\r\n\r\n").hasPrefix("HTTP/1.1 500 "))
      }
      try await withHTTPServer(handler: { _, response in
        try await response.send(200, fields: ["X": "a\r\nSet-Cookie: b"])
      }) { server async throws in
        #expect(try await server.exchange("GET / HTTP/1.0\r\n\r\n").hasPrefix("HTTP/1.1 500 "))
      }
    }

    @Test func aFailedStreamDoesNotLookComplete() async throws {
      try await withHTTPServer(handler: { request, response in
        try await response.start(200, length: request.target.path == "/length" ? 5 : nil)
        try await response.write(["abc"])
        if request.target.path == "/throws" { throw HTTPErrorResponse(400, "too late") }
      }) { server async throws in
        for path in ["/throws", "/length"] {
          let client = try await server.connect()
          try await client.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
          await #expect(throws: (any Error).self) { try await client.answer() }
          await client.close()
        }
      }
    }

    @Test(arguments: ["evil.example", "localhost.evil.example:80", "box.allowed.example"])
    func namesThatSomebodyElseMayOwnAreRefused(_ host: String) async throws {
      try await withHTTPServer(handler: count) { server async throws in
        let answer = try await server.exchange("GET / HTTP/1.0\r\nHost: \(host)\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 421 ") && answer.contains("--allowed-host"))
        // The target's host overrides the field.
        #expect(
          try await server.exchange("GET http://\(host)/ HTTP/1.0\r\nHost: localhost\r\n\r\n").hasPrefix(
            "HTTP/1.1 421 "))
        #expect(
          try await server.exchange("GET http://localhost/ HTTP/1.0\r\nHost: \(host)\r\n\r\n").hasPrefix(
            "HTTP/1.1 200 "))
      }
    }

    @Test(arguments: [
      "localhost:\u{31}", "127.0.0.1", "192.168.1.1", "[::1]:8080", "box", "box.internal.", "",
      "Allowed.Example:80",
      "a.wild.example", "a.b.wild.example.",
    ])
    func namesThatAreOursAreTaken(_ host: String) async throws {
      var options = HTTPServerOptions()
      options.allowedHosts = ["allowed.example", "*.wild.example"].compactMap(AllowedHost.init)
      try await withHTTPServer(options: options, handler: count) { server async throws in
        #expect(
          try await server.exchange("GET / HTTP/1.0\r\nHost: \(host)\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
        #expect(try await server.exchange("GET / HTTP/1.0\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
      }
    }

    @Test(arguments: [
      "", "allowed.example:80", "*", "*.", "a b", "[::1]", "*.[::1]", "http://allowed.example",
    ])
    func whatIsNoNameCannotBeAllowed(_ text: String) { #expect(AllowedHost(text) == nil) }

    @Test(arguments: [
      ("localhost:49999", "http://localhost:49999", 200), ("localhost:80", "http://LOCALHOST", 200),
      ("localhost", "https://localhost:443", 200), ("[::1]:8", "http://[::1]:8", 200),
      ("localhost:49999", "http://localhost:8888", 403), ("localhost:49999", "http://localhost", 403),
      ("localhost:49999", "http://127.0.0.1:49999", 403), ("localhost:49999", "http://evil.example", 403),
      ("localhost:49999", "null", 403), ("localhost:49999", "", 403), ("localhost", "http://localhost/", 403),
      ("localhost:443", "http://localhost", 403), ("localhost", "ftp://localhost", 403),
      ("localhost", "http://localhost\r\nOrigin: http://evil.example", 403), ("", "http://localhost", 403),
    ])
    func pagesOfOtherSitesAreRefused(_ host: String, _ origin: String, _ status: Int) async throws {
      try await withHTTPServer(handler: count) { server async throws in
        let client = try await server.connect()
        for (fields, status) in [("", 200), ("Origin: \(origin)\r\n", status)] {
          try await client.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\(fields)\r\n")
          #expect(try await client.answer().head.status == status)
        }
        await client.close()
      }
    }
  }
}
