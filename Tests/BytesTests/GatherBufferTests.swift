import Testing

@testable import Bytes

@Suite struct GatherBufferTests {
  private let long = Bytes([UInt8](repeating: 7, count: GatherBuffer.sharedLength))

  @Test func `short pieces become one`() {
    var buffer = GatherBuffer()
    buffer.append("literal ")
    buffer.append(Bytes([0x61, 0x62]))
    buffer.append(String(repeating: "c", count: 3))
    buffer.append(UInt8(ascii: "d"))
    buffer.append(Bytes())
    #expect(buffer.takeAll() == ["literal abcccd"])
    #expect(buffer.takeAll().isEmpty)
  }

  @Test func `long pieces are not copied, short ones between them are`() {
    var buffer = GatherBuffer()
    buffer.append(long)
    buffer.append("between")
    buffer.append(long)
    buffer.append(long)
    buffer.append("behind")
    let pieces = buffer.takeAll()
    #expect(pieces == [long, "between", long, long, "behind"])
    #expect(start(pieces[0]) == start(long))
  }

  @Test func `numbers are in network byte order`() {
    var buffer = GatherBuffer()
    buffer.append(bigEndian: 0x0102_0304, byteCount: 4)
    buffer.append(bigEndian: 0xFFAA, byteCount: 1)
    #expect(buffer.takeAll() == [Bytes([1, 2, 3, 4, 0xAA])])
  }

  @Test func `appending does not change bytes that were taken`() {
    var buffer = GatherBuffer()
    buffer.append("first")
    let first = buffer.takeAll()
    buffer.append("second")
    #expect(first == ["first"])
    #expect(buffer.takeAll() == ["second"])
  }

  private func start(_ bytes: Bytes) -> UnsafeRawPointer? { bytes.withUnsafeBytes { $0.baseAddress } }
}
