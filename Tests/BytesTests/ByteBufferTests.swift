import Bytes
import Testing

@Suite struct ByteBufferTests {
  @Test func takenBytesAreUnchangedByLaterAppends() {
    var buffer = ByteBuffer("hello world".utf8)
    let hello = buffer.take(5)
    buffer.append(", again")
    buffer.discard(1)
    #expect(hello == "hello")
    let rest = buffer.takeAll()
    #expect(rest == "world, again")
    let left = buffer.count
    #expect(left == 0)
  }

  @Test func reserveMovesReadableBytesToNewMemory() {
    var buffer = ByteBuffer("ab".utf8)
    buffer.reserve(1 << 20)
    let room = buffer.withFreeTail { $0.count }
    let moved = buffer.takeAll()
    #expect(room >= 1 << 20)
    #expect(moved == "ab")
  }

  @Test func slicesCountFromZero() {
    let bytes: Bytes = "0123456789"
    #expect(bytes[2..<5][1...] == "34")
    #expect(bytes[9] == UInt8(ascii: "9"))
    #expect(bytes[4..<4].isEmpty)
  }

  @Test func appendedBytesArriveInOrderAtAnySize() {
    var buffer = ByteBuffer()
    for byte in 0..<1000 { buffer.append(UInt8(truncatingIfNeeded: byte)) }
    buffer.append(Bytes([1, 2, 3]))
    let all = buffer.takeAll()
    #expect([UInt8](all) == (0..<1000).map { UInt8(truncatingIfNeeded: $0) } + [1, 2, 3])
  }

  @Test func textThatIsNotUTF8IsRefusedOnValidation() {
    #expect(String(validating: Bytes([0xFF])) == nil)
    #expect(String(validating: "é") == "é")
  }
}
