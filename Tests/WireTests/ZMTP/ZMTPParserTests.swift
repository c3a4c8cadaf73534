import Bytes
import Testing

@testable import Wire

@Suite struct ZMTPParserTests {
  private typealias Outcome = ParserOutcome<ZMTPEvent, ZMTPError.Kind>

  /// As libzmq 4.3 sends it: version 3.1.
  private static let greeting: [UInt8] =
    [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 1] + Array("NULL".utf8) + [UInt8](repeating: 0, count: 48)
  private static let ready = command(
    "READY", property("Socket-Type", "ROUTER") + property("Identity", ""))
  private static let opening = greeting + ready
  private static let opened: [ZMTPEvent] = [.greeting, .ready(.router)]

  private static func command(_ name: String, _ data: [UInt8]) -> [UInt8] {
    [4, UInt8(1 + name.utf8.count + data.count), UInt8(name.utf8.count)] + Array(name.utf8) + data
  }

  private static func property(_ name: String, _ value: String) -> [UInt8] {
    [UInt8(name.utf8.count)] + Array(name.utf8) + [0, 0, 0, UInt8(value.utf8.count)] + Array(value.utf8)
  }

  private func frames(_ parts: [[UInt8]]) -> [UInt8] {
    ZMTPFrame.encode(parts.map { Bytes($0) }).flatMap { [UInt8]($0) }
  }

  /// The results for `bytes` when at most `step` bytes arrive at a time.
  private func outcomes(_ bytes: [UInt8], step: Int, maximum: Int = 1 << 20) -> [Outcome] {
    var parser = ZMTPParser(for: .dealer, maximumMessageLength: maximum)
    return parserOutcomes(of: bytes, step: step, kind: \.kind) { (buffer) throws(ZMTPError) in
      try parser.next(&buffer)
    }
  }

  /// Parses a handshake and `bytes` at once, byte by byte, in threes, and with another message after them.
  private func expect(
    _ bytes: [UInt8], _ expected: [ZMTPEvent], _ location: SourceLocation = #_sourceLocation
  ) {
    let whole = Self.opening + bytes
    let events = (Self.opened + expected).map(Outcome.event)
    for step in [whole.count, 1, 3] {
      #expect(outcomes(whole, step: step) == events, sourceLocation: location)
    }
    let next = Outcome.event(.message(["next"]))
    for step in [whole.count + 6, 1] {
      #expect(
        outcomes(whole + frames([Array("next".utf8)]), step: step) == events + [next],
        sourceLocation: location)
    }
  }

  private func expectFailure(
    _ bytes: [UInt8], _ kind: ZMTPError.Kind, maximum: Int = 1 << 20,
    _ location: SourceLocation = #_sourceLocation
  ) {
    for bytes in [bytes, bytes + frames([Array("next".utf8)])] {
      for step in [bytes.count, 1] {
        let last = outcomes(bytes, step: step, maximum: maximum).last
        #expect(last == .failure(kind), sourceLocation: location)
      }
    }
  }

  @Test func `messages arrive with all their parts, at all lengths`() {
    for length in [0, 1, 255, 256, 70_000] {
      let part = [UInt8](repeating: 0x61, count: length)
      expect(frames([part]), [.message([Bytes(part)])])
      expect(frames([[1], part, [], part]), [.message([Bytes([1]), Bytes(part), "", Bytes(part)])])
    }
    // A short part may have a long length.
    expect([2, 0, 0, 0, 0, 0, 0, 0, 1, 0x61], [.message(["a"])])
  }

  @Test func `commands may come at any time`() {
    let ping = Self.command("PING", [0, 10] + Array("context".utf8))
    expect(ping, [.ping("context")])
    expect(Self.command("PING", [0, 0]), [.ping("")])
    expect([1, 1, 0x61] + ping + [0, 1, 0x62], [.ping("context"), .message(["a", "b"])])
    expect(Self.command("PONG", []) + Self.command("SUBSCRIBE", [1]) + Self.command("", []), [])
    let whole = Self.greeting + ping + Self.ready
    #expect(
      outcomes(whole, step: 1) == [.greeting, .ping("context"), .ready(.router)].map(Outcome.event))
  }

  @Test func `the peer's properties are found by name`() {
    let properties =
      Self.property("X-Other", "value") + Self.property("socket-TYPE", "DEALER") + Self.property("", "")
    #expect(
      outcomes(Self.greeting + Self.command("READY", properties), step: 1)
        == [.event(.greeting), .event(.ready(.dealer))])
  }

  @Test func `another protocol is refused at the first invalid byte`() {
    expectFailure(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), .invalidGreeting)
    expectFailure([0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7E], .invalidGreeting)
    // ZMTP 2.
    expectFailure([0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 1], .invalidGreeting)
    var plain = Self.greeting
    plain.replaceSubrange(12..<16, with: Array("PLAIN".utf8.prefix(4)))
    expectFailure(plain, .invalidGreeting)
    var longer = Self.greeting
    longer[16] = 0x58
    expectFailure(longer, .invalidGreeting)
  }

  @Test func `invalid frames are refused`() {
    for flags in [0x08, 0x10, 0x80, 0xFF] as [UInt8] {
      expectFailure(Self.opening + [flags, 0], .invalidFrame)
    }
    expectFailure(Self.opening + [5, 0], .invalidFrame)
    expectFailure(Self.greeting + [0, 1, 0x61], .invalidFrame)
  }

  @Test func `malformed commands are refused`() {
    expectFailure(Self.opening + [4, 0], .invalidCommand)
    expectFailure(Self.opening + [4, 2, 2, 0x41], .invalidCommand)
    expectFailure(Self.opening + Self.command("PING", [0]), .invalidCommand)
    expectFailure(Self.opening + Self.ready, .invalidCommand)
    expectFailure(Self.opening + [6, 0, 0, 0, 0, 0, 1, 0, 1], .invalidCommand)
    expectFailure(Self.opening + [6, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], .invalidCommand)
    expectFailure(Self.greeting + Self.command("READY", []), .invalidCommand)
    expectFailure(Self.greeting + Self.command("READY", [200, 1, 2]), .invalidCommand)
    expectFailure(Self.greeting + Self.command("READY", [1, 0x61, 0xFF, 0xFF, 0xFF, 0xFF]), .invalidCommand)
    expectFailure(Self.greeting + Self.command("ERROR", []), .invalidCommand)
  }

  @Test func `a peer that sends ERROR or has another type is refused`() {
    expectFailure(Self.greeting + Self.command("ERROR", [2] + Array("no".utf8)), .refused)
    expectFailure(Self.greeting + Self.command("READY", Self.property("Socket-Type", "PUB")), .refused)
    expectFailure(Self.greeting + Self.command("READY", Self.property("Socket-Type", "?")), .refused)
  }

  @Test func `messages have a limit, in all parts together`() {
    let ten = [UInt8](repeating: 0x61, count: 10)
    let message = Self.opening + frames([ten, ten])
    #expect(outcomes(message, step: 1, maximum: 20).last == .event(.message([Bytes(ten), Bytes(ten)])))
    expectFailure(message, .messageTooLong, maximum: 19)
    let endless = Self.opening + [2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
    expectFailure(endless, .messageTooLong)
    expectFailure(endless, .messageTooLong, maximum: .max)
    let parts = [[UInt8]](repeating: [1, 0], count: ZMTPParser.maximumPartCount).flatMap { $0 }
    #expect(outcomes(Self.opening + parts + [0, 0], step: 1 << 20).last == .failure(.messageTooLong))
    // Each message has the whole limit.
    #expect(outcomes(message + frames([ten, ten]), step: 1, maximum: 20).count == 4)
  }

  @Test func `an error is final`() throws {
    var parser = ZMTPParser(for: .dealer)
    var buffer = ByteBuffer(Self.opening + [8] + frames([[1]]))
    #expect(try parser.next(&buffer) == .greeting)
    #expect(try parser.next(&buffer) == .ready(.router))
    for _ in 0..<2 {
      #expect(throws: ZMTPError(.invalidFrame, "A frame has unknown flags")) { try parser.next(&buffer) }
    }
  }

  @Test func `the total is known with the length`() throws {
    let part = [UInt8](repeating: 1, count: 70_000)
    let bytes = frames([part])
    var parser = ZMTPParser(for: .dealer)
    var buffer = ByteBuffer(Self.opening)
    while try parser.next(&buffer) != nil {}
    for (index, byte) in bytes.enumerated() {
      buffer.append(byte)
      let isLast = index == bytes.count - 1
      if (try parser.next(&buffer) != nil) != isLast { Issue.record("at \(index)") }
      if parser.wantedTotal != (index >= 8 && !isLast ? bytes.count : nil) { Issue.record("at \(index)") }
    }
  }

  @Test func `parts share the memory of the buffer`() throws {
    var parser = ZMTPParser(for: .dealer)
    var buffer = ByteBuffer(Self.opening + frames([[1, 2, 3], [4]]))
    let before = buffer.readable.withUnsafeBytes { $0.baseAddress }
    while let event = try parser.next(&buffer) {
      guard case .message(let parts) = event else { continue }
      let after = parts[0].withUnsafeBytes { $0.baseAddress }
      #expect(after == before.map { $0 + Self.opening.count + 2 })
      return
    }
    Issue.record("no message")
  }
}
