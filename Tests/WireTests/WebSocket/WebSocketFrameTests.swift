import Bytes
import Testing

@testable import Wire

@Suite struct WebSocketFrameTests {
  private func frame(_ pieces: [Bytes]) -> [UInt8] { pieces.flatMap { [UInt8]($0) } }

  @Test func theExampleOfTheRFCIsEncoded() {
    let bytes = frame(WebSocketFrame.encode(.text, ["Hello"], maskingKey: 0x37FA_213D))
    #expect(bytes == [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
  }

  @Test func serversDecodeFramesOfAllLengths() throws {
    for length in Array(0...140) + [65535, 65536, 100_000] {
      let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let bytes = frame(WebSocketFrame.encode(.binary, [Bytes(payload)], maskingKey: 0x0102_F3F4))
      let decoded = try #require(ServerFrame.decode(bytes))
      #expect(decoded.first == 0x82)
      #expect(decoded.payload == payload)
    }
  }

  @Test func theMaskContinuesOverPieces() throws {
    let payload = (0..<200).map { UInt8($0) }
    for cut in 0...140 {
      for second in [0, 1, 2, 3, 5] {
        let pieces = [
          Bytes(payload[..<cut]), Bytes(payload[cut..<cut + second]), Bytes(payload[(cut + second)...]),
        ]
        let bytes = frame(WebSocketFrame.encode(.text, pieces, maskingKey: 0xDEAD_BEEF, isFinal: false))
        let decoded = try #require(ServerFrame.decode(bytes))
        #expect(decoded.first == 0x01)
        if decoded.payload != payload { Issue.record("cut at \(cut) and \(second) behind") }
      }
    }
  }

  @Test func closeFramesContainACodeAndATruncatedReason() throws {
    let plain = try #require(ServerFrame.decode(frame(WebSocketFrame.encodeClose(code: nil, maskingKey: 7))))
    #expect(plain.first == 0x88)
    #expect(plain.payload.isEmpty)
    let reason = String(repeating: "é", count: 100)
    let long = frame(WebSocketFrame.encodeClose(code: 1001, reason: reason, maskingKey: 7))
    let decoded = try #require(ServerFrame.decode(long))
    #expect(decoded.payload == [0x03, 0xE9] + Array(String(repeating: "é", count: 61).utf8))
  }
}

@Suite struct WebSocketHandshakeTests {
  private let handshake = WebSocketHandshake(
    key: "dGhlIHNhbXBsZSBub25jZQ==", acceptValue: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    subprotocols: ["v1.kernel.websocket.jupyter.org", "b"])

  private func answer(_ changes: HTTPFields = [:]) -> HTTPResponseHead {
    var fields: HTTPFields = [
      "upgrade": "WebSocket", "Connection": "keep-alive, Upgrade",
      "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ]
    for change in changes.lines { fields.set(change.name, change.value) }
    return HTTPResponseHead(status: 101, fields: fields)
  }

  @Test func theRequestAsksForAnUpgrade() throws {
    let head = handshake.request(
      target: "/api/x?a=b", host: "localhost:8888", fields: ["Authorization": "token x"])
    let text = try head.encode().description
    #expect(
      text == """
        GET /api/x?a=b HTTP/1.1\r
        Host: localhost:8888\r
        Upgrade: websocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        Sec-WebSocket-Version: 13\r
        Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org, b\r
        Authorization: token x\r
        \r\n
        """)
  }

  @Test func aValidResponseReturnsTheSubprotocol() throws {
    #expect(try handshake.accept(answer()) == nil)
    #expect(try handshake.accept(answer(["Sec-WebSocket-Protocol": "b"])) == "b")
  }

  @Test func everyOtherResponseIsRefused() {
    let wrong: [HTTPFields] = [
      ["Upgrade": "h2c"], ["Connection": "close"], ["Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOO="],
      ["Sec-WebSocket-Accept": ""], ["Sec-WebSocket-Extensions": "permessage-deflate"],
      ["Sec-WebSocket-Protocol": "c"], ["Sec-WebSocket-Protocol": "b, c"], ["Sec-WebSocket-Protocol": ""],
    ]
    for fields in wrong {
      #expect(throws: WebSocketError.self, "\(fields.lines)") { try handshake.accept(answer(fields)) }
    }
    var twice = answer(["Sec-WebSocket-Protocol": "b"])
    twice.fields.append("sec-websocket-protocol", "b")
    #expect(throws: WebSocketError.self) { try handshake.accept(twice) }
    do {
      _ = try handshake.accept(HTTPResponseHead(status: 403))
      Issue.record("accepted")
    } catch {
      #expect(error.kind == .refused(status: 403))
      #expect(error.message == "The WebSocket was refused: 403 Forbidden")
    }
  }
}
