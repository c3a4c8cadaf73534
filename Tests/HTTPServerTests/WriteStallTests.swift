import Testing

@testable import HTTPServer

@Suite struct WriteStallTests {
  @Test func aClientThatReadsNothingIsTimed() {
    var stall = WriteStall()
    #expect([10, 11, 70].map { stall.duration(at: 500, now: $0) } == [0, 1, 60])
  }

  @Test func aClientThatReadsSomethingIsOnlySlow() {
    var stall = WriteStall()
    for step in 0..<10 {
      #expect(stall.duration(at: step, now: UInt64(step) * 59) == 0)
      #expect(stall.duration(at: step, now: UInt64(step) * 59 + 58) == 58)
    }
  }

  @Test func newBytesAreTimedAnew() {
    var stall = WriteStall()
    #expect(stall.duration(at: 500, now: 0) == 0)
    #expect(stall.duration(at: nil, now: 50) == 0)
    #expect(stall.duration(at: nil, now: 500) == 0)
    // The client has read everything; these are new bytes.
    #expect(stall.duration(at: 500, now: 510) == 0)
    #expect(stall.duration(at: 500, now: 520) == 10)
  }
}
