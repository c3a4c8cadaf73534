import Bytes
import TestLoop
import Testing

@testable import Wire

/// Text from a peer takes linear time, wherever it is.
@Suite struct HostileTextTests {
  /// High limits, so that the text passes them.
  private var limits: HTTPLimits {
    var limits = HTTPLimits()
    (limits.fieldSectionLength, limits.targetLength) = (1 << 20, 1 << 20)
    return limits
  }

  @Test(arguments: [
    "Host", "Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Range",
    "If-Range",
    "If-Match", "If-None-Match", "If-Modified-Since", "Accept", "Origin", "X-Anything",
  ])
  func `a header field`(name: String) {
    expectLinearCost("\(name)") { marks in
      var parser = HTTPRequestParser(limits: limits)
      var buffer = ByteBuffer("GET / HTTP/1.1\r\nA: b\r\n\(name): ".utf8)
      buffer.append(marks)
      buffer.append("\r\n\r\n")
      guard case .head(let head, _)? = try? parser.next(&buffer) else { return }
      read(head.fields.first(name) ?? Bytes(), head)
    }
  }

  private func read(_ value: Bytes, _ head: HTTPRequestHead) {
    _ = head.keepsConnection
    _ = head.fields.list("Connection", contains: "close")
    _ = head.fields.list("If-Match")
    _ = head.fields == head.fields
    _ = HTTPDate.parse(value, now: 0)
    _ = ByteRange(value, size: 10)
    _ = EntityTag.match(value, isMetBy: EntityTag(opaque: "a"))
    _ = HTTPHost(value)
  }

  @Test(arguments: ["/", "/?a=", "/?", "http://", "http://a/", "*"])
  func `a target`(start: String) {
    expectLinearCost("\(start)") { marks in
      var parser = HTTPRequestParser(limits: limits)
      var buffer = ByteBuffer("GET \(start)".utf8)
      buffer.append(marks)
      buffer.append(" HTTP/1.1\r\nHost: a\r\n\r\n")
      guard case .head(let head, _)? = try? parser.next(&buffer),
        let target = try? RequestTarget(head.target, method: head.method)
      else { return }
      _ = try? target.decodedPath()
      _ = try? target.query("path")
      _ = PercentCoding.encode(head.target)
    }
  }

  @Test func `a method, a version and what is no HTTP`() {
    for start in ["", "GET / ", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nA: b\r\nHost: a\r\nX"] {
      expectLinearCost("\(start)") { marks in
        var parser = HTTPRequestParser(limits: limits)
        var buffer = ByteBuffer(start.utf8)
        buffer.append(marks)
        _ = try? parser.next(&buffer)
      }
    }
  }

  @Test(arguments: [
    "HTTP/1.1 200 ", "HTTP/1.1 200 OK\r\nConnection: ",
    "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: ",
  ])
  func `a response`(start: String) {
    let handshake = WebSocketHandshake(key: "a", acceptValue: "b", subprotocols: ["a"])
    expectLinearCost("\(start)") { marks in
      var limits = limits
      limits.statusLineLength = 1 << 20
      var parser = HTTPResponseParser(limits: limits)
      var buffer = ByteBuffer(start.utf8)
      buffer.append(marks)
      buffer.append("\r\n\r\n")
      guard case .head(let head, _)? = try? parser.next(&buffer) else { return }
      _ = head.keepsConnection
      _ = try? handshake.accept(head)
    }
  }

  @Test func `JSON`() {
    expectLinearCost("a string, a name and what is looked up") { marks in
      let quoted = JSONString.quote(marks)
      guard let json = try? JSONSlice.parse(Bytes.join(["{", quoted, ":", quoted, ",\"a\":", quoted, "}"])),
        let value = json["a"]
      else { return }
      _ = (json["b"], value.text, value.ascii(atMost: 8), value.excerpt(), value.isString("a"), value == json)
      _ = (value.asciiLine, value.integer, value.number, value.bool)
      let contents = value.stringContents
      _ = JSONString.withoutTerminalControls(contents: contents)
      _ = JSONString.dropEnclosingQuotes(contents: contents)
      _ = JSONString.hasLoneSurrogate(contents: contents)
      _ = JSONString.join(lines: [contents, contents])
    }
  }

  @Test func `bytes as keys, in searches and as a peer's kind of socket`() {
    expectLinearCost("bytes") { marks in
      let copy = Bytes([UInt8](marks))
      _ = (marks == copy, [marks: 1][copy], marks.contains("b"), marks.split(separator: 0x61))
      _ = (marks.ascii(atMost: .max), marks.isEqual(ignoringCaseTo: "a"), String(marks).hasSameBytes(as: "b"))
      _ = [String(marks), String(copy)].sortedByBytes()
      _ = try? ZMTPCommand(Bytes.join(["\u{5}READY\u{b}Socket-Type\0\0\u{1}\0", marks]))
    }
  }
}
