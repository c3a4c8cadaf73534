import Bytes
import Testing

@testable import Wire

@Suite struct ZMTPFrameTests {
  @Test func `the greeting matches the specification`() {
    let bytes = [UInt8](ZMTPGreeting.encoded)
    #expect(bytes.count == 64)
    #expect(Array(bytes[..<12]) == [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 0])
    #expect(Array(bytes[12..<16]) == Array("NULL".utf8))
    #expect(bytes[16...].allSatisfy { $0 == 0 })
  }

  @Test func `short parts have their length in one byte, long ones in eight`() {
    #expect(joined(["a", ""]) == [1, 1, 0x61, 0, 0])
    let long = [UInt8](repeating: 7, count: 256)
    let longHeader: [UInt8] = [2, 0, 0, 0, 0, 0, 0, 1, 0]
    #expect(joined([Bytes(long)]) == longHeader + long)
    let short = Array(long.dropLast())
    #expect(joined([Bytes(short)]) == [0, 255] + short)
  }

  @Test func `large parts are not copied, small ones are gathered`() {
    let large = Bytes([UInt8](repeating: 7, count: 20_000))
    let pieces = ZMTPFrame.encode(["head", large, "tail", large])
    #expect(pieces.count == 4)
    #expect(start(pieces[1]) == start(large))
    #expect(start(pieces[3]) == start(large))
    let between: [UInt8] = [1, 4] + Array("tail".utf8) + [2, 0, 0, 0, 0, 0, 0, 0x4E, 0x20]
    #expect([UInt8](pieces[2]) == between)
  }

  @Test func `READY matches the specification`() {
    let ready = ZMTPFrame.encodeReady(.dealer, identity: "me").flatMap { [UInt8]($0) }
    let properties: [UInt8] =
      [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8) + [8] + Array("Identity".utf8)
      + [0, 0, 0, 2] + Array("me".utf8)
    let header: [UInt8] = [4, UInt8(6 + properties.count), 5] + Array("READY".utf8)
    #expect(ready == header + properties)
    #expect(!ZMTPFrame.encodeReady(.subscriber).contains { String($0).contains("Identity") })
    let pong: [UInt8] = [4, 7, 4] + Array("PONGab".utf8)
    #expect(ZMTPFrame.encodePong("ab").flatMap { [UInt8]($0) } == pong)
  }

  private func joined(_ parts: [Bytes]) -> [UInt8] { ZMTPFrame.encode(parts).flatMap { [UInt8]($0) } }

  private func start(_ bytes: Bytes) -> UnsafeRawPointer? { bytes.withUnsafeBytes { $0.baseAddress } }
}
