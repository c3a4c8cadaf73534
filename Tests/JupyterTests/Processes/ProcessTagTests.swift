import Testing

@testable import Jupyter

@Suite struct ProcessTagTests {
  private static let limits = """
    Limit                     Soft Limit           Hard Limit           Units
    Max open files            1024                 4096                 files
    Max file locks            123456789000000007   unlimited            locks
    Max pending signals       7823                 7823                 signals

    """

  @Test func `A tag is read from the line of its limit`() {
    #expect(ProcessTag(limits: Array(Self.limits.utf8)) == ProcessTag(123_456_789_000_000_007))
  }

  @Test(arguments: [
    "", "Max file locks", "Max file locks \n", "Max file locks            unlimited            unlimited",
    "Max open files            1024                 4096", "A Max file locks 1 2",
    "Max file locks            99999999999999999999 unlimited",
  ])
  func `No tag is read from lines without one`(limits: String) {
    #expect(ProcessTag(limits: Array(limits.utf8)) == nil)
  }

  @Test func `The tags of a series differ, and its pattern matches them and no others`() throws {
    var series = ProcessTagSeries()
    var other = ProcessTagSeries()
    let pattern = try Regex(series.pattern)
    let tags = [series.next(), series.next(), series.next()]
    #expect(Set(tags).count == 3)
    for tag in tags {
      #expect("Max file locks            \(tag.number)   unlimited".contains(pattern))
    }
    #expect(!"Max file locks            \(other.next().number)   unlimited".contains(pattern))
    #expect(!"Max file locks            unlimited            unlimited".contains(pattern))
  }
}
