import Testing

@testable import Jupyter

@Suite struct ResourceLimitsTests {
  private static let mebibyte: Int64 = 1 << 20

  @Test func `nothing is an excess without limits`() {
    let limits = ResourceLimits()
    #expect(!limits.isAny)
    #expect(limits.excess(of: ProcessUsage(processes: .max, memory: .max)) == nil)
  }

  @Test func `an excess begins above the limit`() {
    let limits = ResourceLimits(memory: 512 * Self.mebibyte, processes: 3)
    #expect(limits.isAny)
    #expect(limits.excess(of: ProcessUsage(processes: 3, memory: 512 * Self.mebibyte)) == nil)
    #expect(
      limits.excess(of: ProcessUsage(processes: 3, memory: 512 * Self.mebibyte + 1))
        == "over the memory limit of 512 MiB")
    #expect(limits.excess(of: ProcessUsage(processes: 4, memory: 0)) == "over the process limit of 3")
    #expect(limits.excess(ofProcesses: 4) == "over the process limit of 3")
  }

  @Test func `files have a limit of their own`() {
    let limits = ResourceLimits(disk: 2 * Self.mebibyte)
    #expect(limits.isAny)
    #expect(limits.excess(of: ProcessUsage(processes: .max, memory: .max)) == nil)
    #expect(limits.excess(ofFiles: .bytes(2 * Self.mebibyte)) == nil)
    #expect(
      limits.excess(ofFiles: FileUsage.bytes(2 * Self.mebibyte).adding(1)) == "over the disk limit of 2 MiB")
    #expect(
      limits.excess(ofFiles: FileUsage.countless.adding(1))
        == "more files than can be counted for the disk limit of 2 MiB")
    #expect(ResourceLimits().excess(ofFiles: .countless) == nil)
  }

  @Test func `what was written to a disk decides who has written most`() {
    var counts = WriteCounts()
    counts.add(WriteCounts(disk: 5, calls: 1), since: WriteCounts(disk: 3, calls: 0))
    #expect(counts == WriteCounts(disk: 2, calls: 1))
    // A process of the same number that began later has written less.
    counts.add(WriteCounts(disk: 1, calls: 1), since: WriteCounts(disk: 3, calls: 1))
    #expect(counts == WriteCounts(disk: 2, calls: 1))
    #expect(WriteCounts(disk: 1, calls: 9) < counts)
    #expect(counts < WriteCounts(disk: 2, calls: 2))
  }

  @Test(arguments: [
    (Int64(1), "1 bytes"), (mebibyte - 1, "1048575 bytes"), (mebibyte, "1 MiB"),
    (2 << 30, "2 GiB"), (3 * mebibyte + 1, "3145729 bytes"),
    (Int64.max, "9223372036854775807 bytes"),
  ])
  func `a limit is told as it was given`(limit: Int64, text: String) {
    let excess = ResourceLimits(memory: limit - 1).excess(of: ProcessUsage(processes: 1, memory: limit))
    #expect(excess?.hasPrefix("over the memory limit of ") == true)
    #expect(
      ResourceLimits(memory: limit).excess(of: ProcessUsage(processes: 1, memory: .max))
        == (limit == .max ? nil : "over the memory limit of \(text)"))
  }

  @Test func `the numbers of a line are found by their place`() {
    let line = Array("25 4096 7\n".utf8)
    #expect(ProcessEntry.number(at: 0, in: line) == 25)
    #expect(ProcessEntry.number(at: 1, in: line) == 4096)
    #expect(ProcessEntry.number(at: 3, in: line) == nil)
    #expect(ProcessEntry.number(at: 0, in: []) == nil)
    #expect(ProcessEntry.number(at: 0, in: Array("x 1".utf8)) == nil)
  }
}
