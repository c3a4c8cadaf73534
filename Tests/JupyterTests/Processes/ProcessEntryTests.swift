import Glibc
import Loop
import TestLoop
import Testing

@testable import Jupyter

@Suite struct ProcessEntryTests {
  @Test func `A child is distinguished from other processes`() async throws {
    try await TestLoop.run {
      let child = try ChildProcess.spawn(executable: "cat", standardInput: .pipe)
      let process = try ProcessDescriptor(child.processIdentifier)
      #expect(process.isChild(of: getpid()))
      let other = try ProcessDescriptor(getppid())
      #expect(!other.isChild(of: getpid()))
      await child.standardInput?.close()
      _ = await child.exit()
      #expect(!process.isChild(of: getpid()))
    }
  }

  @Test func `The fields after the name are read, whatever the name contains`() throws {
    let rest = (4...52).map { "\($0)" }.joined(separator: " ")
    let entry = try #require(ProcessEntry(12, stat: Array("12 (a) Z 1 (b) S \(rest)\n".utf8)))
    #expect(!entry.hasEnded && entry.parent == 4 && entry.session == 6 && entry.start == 22)
  }

  @Test(arguments: [
    ("S", 1, false), ("S", 20, false), ("Z", 1, true), ("Z", 0, true), ("X", 1, true), ("Z", 2, false),
  ])
  func `A process has ended when all of its threads have`(state: String, threads: Int, hasEnded: Bool) throws
  {
    let rest = (4...52).map { "\($0 == 20 ? threads : $0)" }.joined(separator: " ")
    let entry = try #require(ProcessEntry(12, stat: Array("12 (a) \(state) \(rest)\n".utf8)))
    #expect(entry.hasEnded == hasEnded)
    #expect(entry.mainThreadHasEnded == (state != "S"))
  }

  @Test(arguments: [
    "", "12", "12 (a)", "12 (a) S 1 2 3", "12 (a) S x 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
  ])
  func `A malformed entry is refused`(stat: String) {
    #expect(ProcessEntry(12, stat: Array(stat.utf8)) == nil)
  }
}
