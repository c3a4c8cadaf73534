import Bytes
import Testing

@testable import Wire

@Suite struct WebSocketParserTests {
  private typealias Outcome = ParserOutcome<WebSocketEvent, WebSocketError.Kind>

  /// The results for `bytes` when at most `step` bytes arrive at a time.
  private func outcomes(_ bytes: [UInt8], step: Int, maximum: Int = 1 << 20) -> [Outcome] {
    var parser = WebSocketParser(maximumMessageLength: maximum)
    return parserOutcomes(of: bytes, step: step, kind: \.kind) { (buffer) throws(WebSocketError) in
      try parser.next(&buffer)
    }
  }

  /// Parses `bytes` at once, byte by byte, in threes, and with another message after them.
  private func expect(
    _ bytes: [UInt8], _ expected: [WebSocketEvent], _ location: SourceLocation = #_sourceLocation
  ) {
    let events = expected.map(Outcome.event)
    for step in [bytes.count, 1, 3] {
      #expect(outcomes(bytes, step: step) == events, sourceLocation: location)
    }
    let longer = bytes + ServerFrame.encode(.text, "next")
    let next = Outcome.event(.message("next", isText: true))
    for step in [longer.count, 1] {
      #expect(outcomes(longer, step: step) == events + [next], sourceLocation: location)
    }
  }

  private func expectFailure(
    _ bytes: [UInt8], _ kind: WebSocketError.Kind, maximum: Int = 1 << 20,
    _ location: SourceLocation = #_sourceLocation
  ) {
    for bytes in [bytes, bytes + ServerFrame.encode(.text, "next")] {
      for step in [bytes.count, 1] {
        let last = outcomes(bytes, step: step, maximum: maximum).last
        #expect(last == .failure(kind), sourceLocation: location)
      }
    }
  }

  @Test func messagesOfOneFrameArriveAtAllLengths() {
    for length in [0, 1, 125, 126, 127, 65535, 65536, 70000] {
      let payload = [UInt8](repeating: 0x61, count: length)
      expect(ServerFrame.encode(.text, payload), [.message(Bytes(payload), isText: true)])
      expect(ServerFrame.encode(.binary, payload), [.message(Bytes(payload), isText: false)])
    }
  }

  @Test func theExamplesOfTheRFCAreParsed() {
    expect([0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F], [.message("Hello", isText: true)])
    expect([0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F], [.message("Hello", isText: true)])
    expect([0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F], [.ping("Hello")])
  }

  @Test func fragmentsAreJoinedAroundControlFrames() {
    let large = String(repeating: "x", count: 5000)
    let bytes =
      ServerFrame.encode(.text, "a", isFinal: false) + ServerFrame.encode(.ping, "p")
      + ServerFrame.encode(.continuation, large, isFinal: false)
      + ServerFrame.encode(.continuation, "", isFinal: false) + ServerFrame.encode(.pong, "q")
      + ServerFrame.encode(.continuation, "b", isFinal: false) + ServerFrame.encode(.continuation, large)
    let whole = WebSocketEvent.message(Bytes("a" + large + "b" + large), isText: true)
    expect(bytes, [.ping("p"), .pong("q"), whole])
  }

  @Test func longMessagesInSeveralFramesArriveInPieces() throws {
    let large = [UInt8](repeating: 0x61, count: 5000)
    let frames =
      ServerFrame.encode(.text, "a", isFinal: false)
      + ServerFrame.encode(.continuation, large, isFinal: false)
      + ServerFrame.encode(.continuation, [0xFF])
    let whole = [0x61] + large + [0xFF]
    for step in [frames.count, 1] {
      var parser = WebSocketParser(longLength: 5001)
      var buffer = ByteBuffer()
      var events: [WebSocketEvent] = []
      for start in stride(from: 0, to: frames.count, by: step) {
        buffer.append(contentsOf: frames[start..<min(start + step, frames.count)])
        while let event = try parser.next(&buffer) { events.append(event) }
      }
      guard events.count == 1, case .pieces(let pieces, true) = events[0] else {
        Issue.record("\(events)")
        continue
      }
      #expect(pieces.count == 3 && WebSocketParser.join(pieces) == Bytes(whole))
      #expect(throws: WebSocketError.self) { try WebSocketParser.checkText(WebSocketParser.join(pieces)) }
    }
    // Short messages are joined and checked at once, as are those in one piece.
    #expect(outcomes(frames, step: 1).last == .failure(.invalidText))
    var parser = WebSocketParser(longLength: 10)
    var buffer = ByteBuffer(
      ServerFrame.encode(.binary, large, isFinal: false) + ServerFrame.encode(.continuation, ""))
    #expect(try parser.next(&buffer) == .message(Bytes(large), isText: false))
  }

  @Test func manySmallFramesMakeFewPieces() throws {
    let small = [UInt8](repeating: 0x62, count: 100)
    var parser = WebSocketParser(longLength: 1000)
    var buffer = ByteBuffer(ServerFrame.encode(.binary, small, isFinal: false))
    for _ in 0..<9998 { buffer.append(contentsOf: ServerFrame.encode(.continuation, small, isFinal: false)) }
    buffer.append(contentsOf: ServerFrame.encode(.continuation, small))
    guard case .pieces(let pieces, false) = try parser.next(&buffer) else {
      Issue.record("no pieces")
      return
    }
    #expect(pieces.count < 20)
    #expect(WebSocketParser.join(pieces) == Bytes([UInt8](repeating: 0x62, count: 1_000_000)))
  }

  @Test func charactersMayBeSplitBetweenFragments() {
    let euro = Array("€".utf8)
    expect(
      ServerFrame.encode(.text, [euro[0]], isFinal: false)
        + ServerFrame.encode(.continuation, [euro[1]], isFinal: false)
        + ServerFrame.encode(.continuation, [euro[2]]),
      [.message("€", isText: true)])
    expectFailure(
      ServerFrame.encode(.text, [euro[0]], isFinal: false) + ServerFrame.encode(.continuation, [euro[1]]),
      .invalidText)
    expectFailure(ServerFrame.encode(.text, [0xED, 0xA0, 0x80]), .invalidText)
    expect(ServerFrame.encode(.binary, [0xFF]), [.message(Bytes([0xFF]), isText: false)])
  }

  @Test func invalidFramesAreRefused() {
    for first in [0xC1, 0xA1, 0x91, 0xF1] as [UInt8] { expectFailure([first, 0], .invalidFrame) }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8] {
      expectFailure([0x80 | opcode, 0], .invalidFrame)
    }
    expectFailure([0x81, 0x80, 1, 2, 3, 4], .invalidFrame)
    expectFailure([0x09, 0], .invalidFrame)
    expectFailure([0x08, 0], .invalidFrame)
    expectFailure([0x89, 126, 0, 126], .invalidFrame)
    expectFailure([0x80, 0], .invalidFrame)
    expectFailure(
      ServerFrame.encode(.text, "a", isFinal: false) + ServerFrame.encode(.text, "b"), .invalidFrame)
    expectFailure(ServerFrame.encode(.text, "a") + ServerFrame.encode(.continuation, "b"), .invalidFrame)
  }

  @Test func lengthsMustBeInTheirShortestForm() {
    expectFailure([0x82, 126, 0, 125], .invalidFrame)
    expectFailure([0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], .invalidFrame)
    expectFailure([0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], .invalidFrame)
    expectFailure([0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], .messageTooLong)
    expectFailure(
      [0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], .messageTooLong, maximum: .max)
  }

  @Test func messagesHaveALimitEvenInFragments() {
    let ten = [UInt8](repeating: 0x61, count: 10)
    #expect(outcomes(ServerFrame.encode(.text, ten), step: 1, maximum: 10).count == 1)
    expectFailure(ServerFrame.encode(.text, ten), .messageTooLong, maximum: 9)
    let half = ServerFrame.encode(.text, ten, isFinal: false)
    expectFailure(half + ServerFrame.encode(.continuation, ten), .messageTooLong, maximum: 19)
    expectFailure([0x82, 126, 1, 0], .messageTooLong, maximum: 1)
  }

  @Test func aCloseFrameHasAReasonAndIsFinal() {
    func close(_ code: UInt16, _ reason: String = "") -> [UInt8] {
      ServerFrame.encode(.close, [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8))
    }
    let behind = ServerFrame.encode(.text, "nobody reads this")
    for step in [1, 100] {
      #expect(outcomes([0x88, 0] + behind, step: step) == [.event(.close(code: nil, reason: ""))])
      #expect(
        outcomes(close(1000, "bye é") + behind, step: step) == [.event(.close(code: 1000, reason: "bye é"))])
    }
    for code in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999] as [UInt16] {
      #expect(outcomes(close(code), step: 1) == [.event(.close(code: code, reason: ""))])
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] as [UInt16] {
      expectFailure(close(code), .invalidFrame)
    }
    expectFailure(ServerFrame.encode(.close, [3]), .invalidFrame)
    expectFailure(ServerFrame.encode(.close, [0x03, 0xE8, 0xFF]), .invalidText)
  }

  @Test func anErrorIsFinal() throws {
    var parser = WebSocketParser()
    var buffer = ByteBuffer([0x83, 0] + ServerFrame.encode(.text, "a"))
    for _ in 0..<2 {
      do {
        _ = try parser.next(&buffer)
        Issue.record("no error")
      } catch {
        #expect(error.kind == .invalidFrame)
        #expect(error.closeCode == 1002)
      }
    }
  }

  @Test func theTotalIsKnownWithTheLength() throws {
    let bytes = ServerFrame.encode(.binary, [UInt8](repeating: 1, count: 70000))
    var parser = WebSocketParser()
    var buffer = ByteBuffer()
    for (index, byte) in bytes.enumerated() {
      buffer.append(byte)
      let event = try parser.next(&buffer)
      let isLast = index == bytes.count - 1
      #expect((event != nil) == isLast)
      if parser.wantedTotal != (index >= 9 && !isLast ? bytes.count : nil) { Issue.record("at \(index)") }
    }
  }

  @Test func aMessageOfOneFrameSharesTheMemoryOfTheBuffer() throws {
    var buffer = ByteBuffer(ServerFrame.encode(.binary, [1, 2, 3]) + ServerFrame.encode(.binary, [4]))
    let before = buffer.readable.withUnsafeBytes { $0.baseAddress }
    var parser = WebSocketParser()
    if case .message(let message, false) = try parser.next(&buffer) {
      let after = message.withUnsafeBytes { $0.baseAddress }
      #expect(after == before.map { $0 + 2 })
    } else {
      Issue.record("no message")
    }
  }
}
