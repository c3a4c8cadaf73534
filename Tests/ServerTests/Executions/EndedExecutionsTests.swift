import Testing

@testable import Server

@Suite struct EndedExecutionsTests {
  private final class Execution {
    let name: String
    init(_ name: String) { self.name = name }
  }

  /// Of each its name, when it ended, and how many bytes of lines it has.
  private func ended(_ executions: (String, UInt64, Int64?)...) -> EndedExecutions<Execution> {
    var ended = EndedExecutions<Execution>()
    for (name, time, bytes) in executions { ended.append(Execution(name), at: time, bytes: bytes) }
    return ended
  }

  @Test func `those without lines are wanted least, and of these the oldest`() {
    var ended = ended(("detached", 1, 100), ("first", 2, nil), ("second", 3, nil), ("empty", 4, 0))
    #expect(ended.count == 4 && ended.bytes == 100)
    let order = (0..<5).map { _ in ended.removeLeastWanted()?.name }
    #expect(order == ["first", "second", "detached", "empty", nil])
    #expect(ended.count == 0 && ended.bytes == 0)
  }

  @Test func `of those with lines the oldest goes first`() {
    var ended = ended(("a", 1, 10), ("b", 2, nil), ("c", 3, 20), ("d", 4, 30))
    #expect(ended.removeOldestWithLines(where: { $0.name > "a" })?.name == "c")
    #expect(ended.bytes == 40)
    #expect(ended.removeOldestWithLines()?.name == "a")
    #expect(ended.removeOldestWithLines()?.name == "d")
    #expect(ended.removeOldestWithLines() == nil)
    #expect(ended.count == 1 && ended.bytes == 0)
  }

  @Test func `all that ended long ago go, and no others`() {
    var ended = ended(("a", 1, nil), ("b", 2, 5), ("c", 3, nil), ("d", 4, 6))
    #expect(ended.oldestTime == 1)
    var gone: [String] = []
    while let execution = ended.removeOne(endedBy: 3) { gone.append(execution.name) }
    #expect(gone.sorted() == ["a", "b", "c"])
    #expect(ended.oldestTime == 4 && ended.bytes == 6)
    #expect(ended.removeOne(endedBy: 4)?.name == "d")
    #expect(ended.oldestTime == nil)
  }

  @Test func `one that is deleted is taken out`() {
    var ended = EndedExecutions<Execution>()
    let (kept, plain) = (Execution("kept"), Execution("plain"))
    ended.append(kept, at: 1, bytes: 7)
    ended.append(plain, at: 2, bytes: nil)
    ended.remove(Execution("other"))
    #expect(ended.count == 2)
    ended.remove(kept)
    ended.remove(plain)
    #expect(ended.count == 0 && ended.bytes == 0)
  }
}
