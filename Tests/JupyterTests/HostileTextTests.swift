import Bytes
import TestLoop
import Testing
@testable import Wire

@testable import Jupyter

/// Text from a kernel, a kernelspec or a Jupyter Server takes linear time, wherever it is.
@Suite struct HostileTextTests {
  @Test(arguments: [
    #"{"msg_id":"#, #"{"msg_type":"#, #"{"session":"#, #"{"date":"#, #"{"username":"#, #"{"version":"#,
    #"{"unknown":"#, #"{"msg_id":"a","msg_type":"stream","msg_type":"#,
  ])
  func `a header`(start: String) {
    expectLinearCost("\(start)") { marks in
      let hostile = Bytes.join([Bytes(start), JSONString.quote(marks), "}"])
      for (header, parent) in [(hostile, "{}"), ("{}", hostile)] as [(Bytes, Bytes)] {
        read(
          try? Message(
            KernelFrame(channel: .iopub, header: header, parentHeader: parent, metadata: "{}", content: "{}"))
        )
      }
    }
  }

  @Test(arguments: ["a", "execution_state", "exit_code", "supported_features", "status"])
  func `content`(name: String) {
    let header: Bytes = #"{"msg_id":"a","msg_type":"status"}"#
    expectLinearCost("\(name)") { marks in
      let quoted = JSONString.quote(marks)
      let content = Bytes.join([
        Bytes("{\"\(name)\":"), quoted, ",", quoted, ":[", quoted, "],\"list\":[", quoted, "]}",
      ])
      read(
        try? Message(
          KernelFrame(
            channel: .iopub, header: header, parentHeader: header, metadata: quoted, content: content)))
    }
  }

  private func read(_ message: Message?) {
    guard let message else { return }
    _ = Set([message.parentIdentifier, message.header.identifier])
    _ = message.header.identifier.belongs(to: message.parentIdentifier)
    var hasStarted = true
    _ = WebSocketChannel.end(in: message, hasStarted: &hasStarted)
    _ = try? message.content()["supported_features"]?.elements.map { $0.ascii(atMost: 64) }
    _ = "\(message.header.identifier) \(message.header.type)"
  }

  @Test func `an invalid header is refused`() {
    for header in [marks(4000), Bytes(repeatElement(0x61, count: 300)), "a b"] as [Bytes] {
      let header = Bytes.join([#"{"msg_id":"#, JSONString.quote(header), "}"])
      #expect(throws: MessageError.self) { try MessageHeader(header) }
    }
    #expect(throws: MessageError.self) { try MessageHeader(#"{"msg_id":7}"#) }
    #expect(throws: MessageError.self) { try MessageHeader(#"{"date":"é"}"#) }
    #expect(throws: MessageError.self) { try MessageHeader("{") }
    #expect(throws: MessageError.self) {
      try MessageHeader(Bytes(#"{"username":"\#(String(repeating: "a", count: 20_000))"}"#))
    }
  }

  @Test func `an identifier is the same however it is escaped`() throws {
    let plain = try MessageHeader(#"{"msg_id":"k_1","msg_type":"stream"}"#)
    let escaped = try MessageHeader(#"{"msg_id":"\u006b_\u0031","msg_type":"\u0073tream"}"#)
    #expect(plain.identifier == escaped.identifier && escaped.type == .stream)
    #expect(try MessageHeader(#"{"msg_type":"unheard_of"}"#).type == .other)
    #expect(try MessageHeader("{}").identifier == .none)
    let parent: Bytes = #"{"date":"é","msg_id":"\u006b_1"}"#
    #expect(try MessageHeader.identifier(inParentHeader: parent) == plain.identifier)
    #expect(try MessageHeader.identifier(inParentHeader: "{}") == .none)
    #expect(throws: MessageError.self) { try MessageHeader.identifier(inParentHeader: #"{"msg_id":7}"#) }
    #expect(throws: MessageError.self) { try MessageHeader.identifier(inParentHeader: "{") }
  }

  @Test func `a message over a WebSocket`() {
    expectLinearCost("both layouts") { marks in
      let quoted = JSONString.quote(marks)
      for name in ["channel", "header", "x"] {
        let text = Bytes.join([Bytes("{\"\(name)\":"), quoted, ",", quoted, ":1}"])
        _ = try? WebSocketFraming.legacy.decode(text, isText: true)
      }
      let offsets: [UInt8] = [64, UInt8(64)].flatMap { [$0, 0, 0, 0, 0, 0, 0, 0] }
      _ = try? WebSocketFraming.v1.decode(Bytes.join([Bytes(offsets), marks]), isText: false)
      _ = KernelChannelName(marks)
      _ = WebSocketFraming(subprotocol: marks)
    }
  }

  @Test(arguments: [
    #"{"argv":["#, #"{"argv":["python"],"language":"#, #"{"argv":["python"],"display_name":"#,
    #"{"argv":["python"],"interrupt_mode":"#,
  ])
  func `a kernelspec`(start: String) {
    let python = PythonInstallation("python", path: nil) { _ in false }
    expectLinearCost("\(start)") { marks in
      let quoted = JSONString.quote(Bytes.join(["{$", marks, "}"]))
      let isList = start.utf8.last == UInt8(ascii: "[")
      let json = Bytes.join([
        Bytes(start), quoted, isList ? "]" : "", ",\"env\":{\"A\":", quoted, ",", quoted, ":\"\"}}",
      ])
      guard let spec = LocalKernelSpec(name: "a", json: json, resourceDirectory: "/a/b/c") else { return }
      _ = (
        spec.isPython, spec.isForkable,
        spec == LocalKernelSpec(name: "a", json: json, resourceDirectory: "/a")
      )
      _ = LaunchPlan(spec, connectionFile: "/f", python: python, environment: ["A": "b"])
    }
  }

  @Test func `lines of the fork server and URLs`() {
    expectLinearCost("both") { marks in
      let quoted = JSONString.quote(marks)
      _ = ForkReply(Bytes.join([#"{"id":1,"error":"#, quoted, ",", quoted, ":1}"]))
      _ = try? ServerURL("http://a/\(marks)")
    }
  }
}
