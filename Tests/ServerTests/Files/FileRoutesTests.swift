@testable import HTTPServer
import TestHTTPServer
import Glibc
@testable import Loop
@testable import Bytes
import Testing
@testable import Wire
import Workspace

@testable import Server

extension ServerTests {
  @Suite struct FileRoutesTests {
    @Test func `A file is created, read, overwritten and deleted`() async throws {
      try await withFiles { files in
        #expect(try await files.ask("PUT", "/files/a/b.txt", body: "one").head.status == 201)
        #expect(try await files.ask("PUT", "/files/a/b.txt", body: "three").head.status == 200)
        let answer = try await files.ask("GET", "/files/a/b.txt")
        #expect(answer.head.status == 200 && answer.body == "three")
        #expect(answer.head.fields.first("Content-Type") == "text/plain; charset=utf-8")
        #expect(answer.head.fields.first("Content-Length") == "5")
        #expect(answer.head.fields.first("Accept-Ranges") == "bytes")
        #expect(try await files.ask("DELETE", "/files/a").head.status == 204)
        #expect(try await files.ask("GET", "/files/a/b.txt").head.status == 404)
      }
    }

    @Test func `HEAD is answered like GET, without the body`() async throws {
      try await withFiles { files in
        files.write("0123456789", to: "a.bin")
        let head = try await files.ask("HEAD", "/files/a.bin")
        let get = try await files.ask("GET", "/files/a.bin")
        #expect(head.body == "" && get.body == "0123456789")
        for name in ["Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges"] {
          #expect(head.head.fields.first(name) == get.head.fields.first(name))
        }
        let part = try await files.ask("HEAD", "/files/a.bin", "Range: bytes=1-2")
        #expect(part.head.status == 200 && part.head.fields.first("Content-Length") == "10")
      }
    }

    @Test(arguments: [
      ("bytes=2-4", "234", "bytes 2-4/10"), ("bytes=-3", "789", "bytes 7-9/10"),
      ("bytes=8-", "89", "bytes 8-9/10"),
    ])
    func `A range is answered with its part`(range: String, body: String, contentRange: String) async throws {
      try await withFiles { files in
        files.write("0123456789", to: "a")
        let answer = try await files.ask("GET", "/files/a", "Range: \(range)")
        #expect(answer.head.status == 206 && answer.body == body)
        #expect(answer.head.fields.first("Content-Range") == Bytes(contentRange))
      }
    }

    @Test func `A range outside the file is refused, one of another version gives the whole`() async throws {
      try await withFiles { files in
        files.write("0123456789", to: "a")
        let outside = try await files.ask("GET", "/files/a", "Range: bytes=10-")
        #expect(outside.head.status == 416 && outside.head.fields.first("Content-Range") == "bytes */10")
        let first = try await files.ask("GET", "/files/a").head.fields
        let tag = String(try #require(first.first("ETag")))
        let date = String(try #require(first.first("Last-Modified")))
        for (condition, status) in [
          (tag, 206), (date, 206), ("W/\(tag)", 200), ("\"x\"", 200), ("yesterday", 200),
        ] {
          let answer = try await files.ask("GET", "/files/a", "Range: bytes=1-1", "If-Range: \(condition)")
          #expect(answer.head.status == status && answer.body == (status == 206 ? "1" : "0123456789"))
        }
      }
    }

    @Test func `Every response forbids browsers to run its content as this server's`() async throws {
      var options = HTTPServerOptions()
      options.maximumBodyLength = 1_000_000
      try await withFiles(options: options) { server async throws in
        server.write("<script>", to: "page.html")
        let tag = try #require(try await server.ask("GET", "/files/page.html").head.fields.first("ETag"))
        let answers: [(String, String, String, Int)] = [
          ("GET", "/files/page.html", "X: y", 200), ("HEAD", "/files/page.html", "X: y", 200),
          ("GET", "/files/page.html", "Range: bytes=0-1", 206),
          ("GET", "/files/page.html", "Range: bytes=9-", 416),
          ("GET", "/files/page.html", "If-None-Match: \(tag)", 304), ("GET", "/files/none.html", "X: y", 404),
          ("GET", "/files?path=.", "X: y", 200), ("GET", "/files?path=none", "X: y", 404),
          ("POST", "/files/page.html", "X: y", 405), ("PATCH", "/files", "X: y", 405),
          ("GET", "/%66iles/%zz", "X: y", 400), ("GET", "/files/a%00", "X: y", 400),
          ("GET", "/files/../x", "X: y", 400),
          ("GET", "/files/page.html", "Origin: http://evil.example", 403),
          ("GET", "/files/\(String(repeating: "x", count: 20_000))", "X: y", 414),
          ("GET", "/files/page.html", "X: \(String(repeating: "x", count: 200_000))", 431),
          ("GET", "/files/page.html", "Expect: tea", 417),
          ("GET", "http://evil.example/files/page.html", "X: y", 421),
          ("PUT", "/files/page.html", "Content-Length: 1000001", 413),
          ("DELETE", "/files/page.html", "If-Match: \"x\"", 412), ("DELETE", "/files/page.html", "X: y", 204),
        ]
        for (method, path, field, status) in answers {
          let head = try await server.ask(method, path, field).head
          #expect(head.status == status, "\(method) \(path.prefix(40))")
          #expect(head.fields.all("Content-Security-Policy") == ["sandbox allow-scripts"])
          #expect(head.fields.all("Cross-Origin-Resource-Policy") == ["same-origin"])
          #expect(head.fields.all("X-Content-Type-Options") == ["nosniff"])
        }
      }
    }

    @Test func `A file that the client already has is not sent`() async throws {
      try await withFiles { files in
        files.write("one", to: "a")
        let fields = try await files.ask("GET", "/files/a").head.fields
        let tag = try #require(fields.first("ETag"))
        let date = try #require(fields.first("Last-Modified"))
        let long = "Thu, 01 Jan 1970 00:00:00 GMT"
        for conditions in [
          ["If-None-Match: \(tag)"], ["If-None-Match: W/\(tag)"], ["If-None-Match: *"],
          ["If-None-Match: \"x\", \(tag)"],
          ["If-None-Match: \"x\"", "If-None-Match: \(tag)"], ["If-Modified-Since: \(date)"],
          ["If-None-Match: \(tag)", "If-Modified-Since: \(long)"],
        ] {
          let answer = try await files.ask("GET", "/files/a", conditions)
          #expect(answer.head.status == 304 && answer.body == "" && answer.head.fields.first("ETag") == tag)
        }
        for conditions in [
          ["If-None-Match: \"x\"", "If-Modified-Since: \(date)"], ["If-Modified-Since: \(long)"],
        ] {
          #expect(try await files.ask("GET", "/files/a", conditions).body == "one")
        }
        _ = try await files.ask("PUT", "/files/a", body: "two")
        #expect(try await files.ask("GET", "/files/a", "If-None-Match: \(tag)").body == "two")
      }
    }

    @Test func `A listing has names, kinds, sizes and times`() async throws {
      try await withFiles { files in
        files.write("12345", to: "b")
        let times = [timespec(tv_sec: 5, tv_nsec: 0), timespec(tv_sec: 1_700_000_000, tv_nsec: 250_000_000)]
        utimensat(AT_FDCWD, files.root + "/b", times, 0)
        mkdir(files.root + "/d", 0o755)
        utimensat(AT_FDCWD, files.root + "/d", times, 0)
        let expected =
          #"{"path":"./","entries":[{"name":"d","type":"dir","size":null,"modified":1700000000.25},"#
          + #"{"name":"b","type":"file","size":5,"modified":1700000000.25}]}"#
        let answer = try await files.ask("GET", "/files?path=./")
        #expect(answer.body == expected)
        #expect(answer.head.fields.first("Content-Type") == "application/json")
        #expect(try await files.ask("GET", "/files?path=b").head.status == 400)
        #expect(try await files.ask("GET", "/files?path=c").head.status == 404)
        #expect(try await files.ask("GET", "/files").head.status == 200)
      }
    }

    @Test(arguments: [
      "../secret", "%2e%2e/secret", "a/../../secret", "/etc/passwd", "%2fetc/passwd", "out", "a%00b",
    ])
    func `A path that leaves the workspace is refused for every method`(path: String) async throws {
      try await withFiles { files in
        symlink("../secret", files.root + "/out")
        for method in ["GET", "PUT", "DELETE"] where !(path == "out" && method == "DELETE") {
          let answer = try await files.ask(method, "/files/" + path, body: method == "PUT" ? "x" : nil)
          #expect(answer.head.status == 400 && answer.body.hasSuffix("\n"))
        }
        #expect(try await files.ask("GET", "/files?path=" + path).head.status == 400)
      }
    }

    @Test func `A path that is not a file is refused with a reason`() async throws {
      try await withFiles { files in
        mkdir(files.root + "/d", 0o755)
        mkfifo(files.root + "/pipe", 0o644)
        for (method, path) in [
          ("GET", "d"), ("GET", ""), ("GET", "pipe"), ("PUT", "d"), ("PUT", ""), ("PUT", "pipe"),
          ("PUT", "new/"),
          ("DELETE", ""), ("DELETE", "d/.."),
        ] {
          let answer = try await files.ask(method, "/files/" + path, body: method == "PUT" ? "x" : nil)
          #expect(answer.head.status == 400)
          #expect(answer.head.fields.first("Content-Type") == "text/plain; charset=utf-8")
        }
        #expect(try files.names() == ["d", "pipe"])
      }
    }

    @Test func `A truncated upload leaves the old file`() async throws {
      try await withFiles { files in
        files.write("old", to: "a")
        for head in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
          let client = try await files.server.connect()
          try await client.send("PUT /files/a HTTP/1.1\r\nHost: localhost\r\n\(head)\r\n\r\n")
          try await client.send(head.hasPrefix("T") ? "5\r\nhello\r\n" : "hello")
          #expect(try await files.ask("GET", "/files/a").body == "old")
          await client.close()
        }
        while files.server.server.connectionCount > 0 { await Task.yield() }
        #expect(try files.names() == ["a"] && files.read("a") == "old")
      }
    }

    @Test func `A refused upload gets no 100 Continue`() async throws {
      try await withFiles { files in
        let client = try await files.server.connect()
        try await client.send(
          "PUT /files/..%2fout HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        )
        #expect(try await client.answer(to: "PUT").head.status == 400)
        await client.close()
      }
    }

    @Test func `A large file is uploaded and downloaded unchanged`() async throws {
      try await withFiles { files in
        let large = String(repeating: "0123456789abcde\n", count: 200_000)
        let put = try await files.ask("PUT", "/files/large", body: large)
        let get = try await files.ask("GET", "/files/large")
        #expect(put.head.status == 201 && get.body == large)
      }
    }

    @Test func `A download whose file shrinks is aborted`() async throws {
      try await withFiles { files in
        let size = 64 << 20
        files.write("", to: "a")
        truncate(files.root + "/a", size)
        let client = try await files.server.connect()
        try await client.send("GET /files/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        _ = try await client.read(1000)
        truncate(files.root + "/a", 1000)
        var count = 1000
        while (try? await client.stream.fill()) == true { count += client.stream.inbound.takeAll().count }
        #expect(count < size)
        await client.close()
      }
    }
  }
}
