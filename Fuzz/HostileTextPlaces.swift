import Bytes

@testable import Jupyter
@testable import HTTPServer
@testable import Server
@testable import Wire

/// A place where a peer can put text, and what the program does with the text there.
struct Place {
  let name: String
  let use: @Sendable (Bytes) -> Void

  static let all =
    fields.map { name in Place(name: name) { field(name, $0) } }
    + targets.map { start in Place(name: "target \(start)") { target(start, $0) } }
    + contents.map { type in Place(name: type) { content(type, $0) } }
    + members.map { name in Place(name: "body \(name)") { body(name, $0) } } + [
      Place(name: "head", use: head), Place(name: "response", use: response),
      Place(name: "chunks", use: chunks),
      Place(name: "values", use: values), Place(name: "JSON", use: json), Place(name: "header", use: header),
      Place(name: "frames", use: frames), Place(name: "names", use: names), Place(name: "bytes", use: bytes),
    ]

  private static let fields = [
    "Host", "Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Range",
    "If-Match",
    "If-None-Match", "If-Modified-Since", "Origin", "X",
  ]
  private static let targets = ["/", "/?a=", "/?", "http://", "http://a/", "*"]
  private static let contents = [
    "stream", "execute_result", "update_display_data", "clear_output", "error", "status", "execute_input",
    "execute_reply", "other",
  ]
  private static let members = ["code", "context_id", "language", "cwd", "env_vars"]

  /// High limits, so that all text that other limits bound gets past the parser.
  private static var limits: HTTPLimits {
    var limits = HTTPLimits()
    (limits.fieldSectionLength, limits.targetLength, limits.statusLineLength) = (1 << 20, 1 << 20, 1 << 20)
    (limits.trailerLength, limits.chunkExtensionsLength, limits.fieldCount) = (1 << 20, 1 << 20, 1 << 20)
    return limits
  }

  private static func request(_ parts: Bytes...) -> HTTPRequestHead? {
    var parser = HTTPRequestParser(limits: limits)
    var buffer = ByteBuffer()
    for part in parts { buffer.append(part) }
    guard case .head(let head, _)? = try? parser.next(&buffer) else { return nil }
    return head
  }

  private static func field(_ name: String, _ text: Bytes) {
    let host: Bytes = name == "Host" ? "" : "Host: a\r\n"
    guard let head = request("GET / HTTP/1.1\r\n", host, Bytes(name), ": ", text, "\r\n\r\n") else { return }
    read(head)
    values(head.fields.first(name) ?? Bytes())
  }

  private static func read(_ head: HTTPRequestHead) {
    _ = head.keepsConnection
    _ = head.fields.list("Expect", contains: "100-continue")
    _ = (head.fields.list("If-Match"), head.fields.all("Origin"), head.fields == head.fields)
    _ = try? head.encode()
    var fields = head.fields
    fields.set("A", Bytes())
  }

  private static func head(_ text: Bytes) {
    for start in ["", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n", "GET "] as [Bytes] {
      if let head = request(start, text, "\r\n\r\n") { read(head) }
    }
  }

  private static func target(_ start: String, _ text: Bytes) {
    guard let head = request("OPTIONS ", Bytes(start), text, " HTTP/1.1\r\nHost: a\r\n\r\n"),
      let target = try? RequestTarget(head.target, method: head.method)
    else { return }
    _ = (try? target.decodedPath(), try? target.queryItems(), try? target.query("path"))
    _ = PercentCoding.encode(head.target, keeping: "/")
    _ = target.path.split(separator: UInt8(ascii: "/")).map { try? RequestTarget.decode($0) }
    _ = MediaTypes.contentType(of: target.path)
  }

  private static func response(_ text: Bytes) {
    let handshake = WebSocketHandshake(key: "a", acceptValue: "b", subprotocols: ["a"])
    for start in ["HTTP/1.1 200 ", "HTTP/1.1 101 a\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: "]
      as [Bytes]
    {
      var parser = HTTPResponseParser(limits: limits)
      var buffer = ByteBuffer()
      for part in [start, text, "\r\n\r\n"] { buffer.append(part) }
      guard case .head(let head, _)? = try? parser.next(&buffer) else { continue }
      _ = head.keepsConnection
      _ = try? handshake.accept(head)
    }
  }

  private static func chunks(_ text: Bytes) {
    for start in ["", "0\r\n"] as [Bytes] {
      var parser = HTTPRequestParser(limits: limits)
      var buffer = ByteBuffer("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
      for part in [start, text, "\r\n\r\n"] { buffer.append(part) }
      while let event = try? parser.next(&buffer) {
        if case .end = event { break }
      }
    }
  }

  private static func values(_ text: Bytes) {
    _ = (HTTPDate.parse(text, now: 0), ByteRange(text, size: 10), MediaTypes.isJSON(text))
    _ = (EntityTag.match(text, isMetBy: EntityTag(opaque: "a")), EntityTag.list(text)?.count)
    if let host = HTTPHost(text) {
      _ = (host.isLocal, host.relativeName, host.isSame(as: host, defaultPort: 80))
      _ = AllowedHost("*.a.example")?.allows(host)
    }
    _ = (AllowedHost(String(text)), Origin(text))
    if let origin = Origin(Bytes.join(["http://", text])) { _ = (origin == origin, origin.description) }
  }

  private static func json(_ text: Bytes) {
    for whole in [text, JSONString.quote(text), Bytes.join(["{", text, "}"]), Bytes.join(["[", text, "]"])] {
      guard let value = try? JSONSlice.parseRepairingText(whole) else { continue }
      _ = (value["b"], value["a"], value.text, value.ascii(atMost: 8), value.excerpt(), value.isString("a"))
      _ = (value.asciiLine, value.integer, value.bool, value == value)
      _ = value.elements.reduce(0) { $0 + $1.bytes.count }
      let contents = value.stringContents
      _ = JSONString.asciiLine(contents: JSONString.withoutTerminalControls(contents: contents))
      _ = (
        JSONString.dropEnclosingQuotes(contents: contents), JSONString.hasLoneSurrogate(contents: contents)
      )
      _ = JSONString.join(lines: [contents, contents])
    }
  }

  /// `text` as a JSON string, and also without escapes if that is valid JSON.
  private static func strings(_ text: Bytes) -> [Bytes] {
    let raw = Bytes.join(["\"", text, "\""])
    let isSound = (try? JSONSlice.parseRepairingText(raw)) != nil
    return [JSONString.quote(text)] + (isSound ? [raw] : [])
  }

  private static func header(_ text: Bytes) {
    // Longer headers are refused whatever they hold.
    for length in [200, 1000, 15_000, text.count] {
      for string in strings(text[0..<min(length, text.count)]) {
        for name in ["msg_id", "msg_type", "session", "date", "username", "x"] {
          let header = Bytes.join([Bytes("{\"\(name)\":"), string, ",", string, ":1}"])
          for (own, parent) in [(header, "{}"), ("{}", header)] as [(Bytes, Bytes)] {
            read(
              try? Message(
                KernelFrame(channel: .iopub, header: own, parentHeader: parent, metadata: "{}", content: "{}")
              ))
          }
        }
      }
    }
  }

  private static func read(_ message: Message?) {
    guard let message else { return }
    _ = Set([message.parentIdentifier, message.header.identifier, message.header.session])
    _ = message.header.identifier.belongs(to: message.parentIdentifier)
    _ = "\(message.header.identifier) \(message.header.type)"
  }

  private static func content(_ type: String, _ text: Bytes) {
    let header = Bytes(#"{"msg_id":"a","msg_type":"\#(type)"}"#)
    for string in strings(text) + [Bytes.join(["{", text, "}"]), Bytes.join(["[", text, "]"])] {
      let isString = string[0] == UInt8(ascii: "\"")
      let bundle =
        isString ? Bytes.join(["{\"text/plain\":", string, ",", string, ":", string, "}"]) : string
      let names = [
        "name", "text", "ename", "evalue", "traceback", "status", "execution_state", "execution_count",
        "wait",
      ]
      let members =
        names.map { Bytes.join([Bytes("\"\($0)\":"), string]) } + [
          Bytes.join(["\"data\":", bundle, ",\"transient\":{\"display_id\":", string, "}"]),
          Bytes.join(["\"payload\":[{\"source\":", string, "}]"]),
        ]
      let content = Bytes.join(["{", Bytes.join(members, separator: ","), "}"])
      let channel: KernelChannelName = type == "execute_reply" ? .shell : .iopub
      guard
        let message = try? Message(
          KernelFrame(
            channel: channel, header: header, parentHeader: header, metadata: "{}", content: content))
      else { continue }
      var execution = Execution()
      for event in (try? execution.receive(message)) ?? [] { _ = NDJSONEncoder.line(event) }
      _ = message.isIdle
    }
  }

  private static func body(_ name: String, _ text: Bytes) {
    for string in strings(text) + [Bytes.join(["{", text, "}"])] {
      let isString = string[0] == UInt8(ascii: "\"")
      for value in isString ? [string, Bytes.join(["{", string, ":", string, "}"])] : [string] {
        let body = Bytes.join([Bytes("{\"\(name)\":"), value, ",\"code\":\"\"}"])
        guard let fields = try? RequestFields(body) else { continue }
        _ = try? fields.text("cwd")
        guard let wanted = try? ExecuteRequest(fields) else { continue }
        _ = Languages.canonicalName(wanted.language ?? Bytes()).map(Languages(specs: []).spec)
        for language in ["python", "bash", "r", "typescript"] {
          _ = ExecutionEnvironment(wanted.variables, language: language)
        }
      }
    }
  }

  private static func frames(_ text: Bytes) {
    for string in strings(text) {
      for name in ["channel", "header", "x"] {
        let frame = Bytes.join([Bytes("{\"\(name)\":"), string, ",", string, ":1}"])
        _ = try? WebSocketFraming.legacy.decode(frame, isText: true)
      }
    }
    _ = try? WebSocketFraming.v1.decode(text, isText: false)
    _ = (KernelChannelName(text), WebSocketFraming(subprotocol: text))
    _ = try? ZMTPCommand(Bytes.join(["\u{5}READY\u{b}Socket-Type\0\0\u{1}\0", text]))
    _ = try? ZMTPCommand(Bytes.join(["\u{5}ERROR", text]))
  }

  private static func names(_ text: Bytes) {
    _ = Languages.canonicalName(text).map(Languages(specs: []).spec)
    _ = (MediaTypes.contentType(of: text), MediaTypes.contentType(of: Bytes.join(["a.", text])))
    for part in text.split(separator: UInt8(ascii: ".")).prefix(64) { _ = MediaTypes.contentType(of: part) }
  }

  private static func bytes(_ text: Bytes) {
    let copy = Bytes([UInt8](text))
    _ = (text == copy, [text: 1][copy], text.contains("b"), text.contains("\u{301}"))
    _ = (text.ascii(atMost: .max)?.lowercased(), text.isEqual(ignoringCaseTo: "a"))
    _ = (String(text).hasSameBytes(as: String(copy)), [String(text), String(copy)].sortedByBytes())
    _ = text.trimming { $0 <= 0x20 }
  }
}
