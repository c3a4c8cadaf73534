import TestLoop
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct ProcessSearches {
    @Test func `Those who search at the same time leave the pool to others`() async throws {
      try await onLoop {
        let plug = try PoolPlug()
        let before = ProcessSearch.count
        var series = ProcessTagSeries()
        let searches = (0..<64).map { number in
          let tag = series.next()
          return LoopActor.task {
            let left = await ProcessTable.end(session: -1, tag: tag, mark: "NOBODY=\(number)")
            #expect(left == [])
          }
        }
        // All have asked when this runs.
        await LoopActor.task {}.value
        let reading = Pending {}
        plug.releaseOne()
        _ = try await reading.value()
        await plug.remove()
        for search in searches { await search.value }
        #expect(ProcessSearch.count <= before + 2)
      }
    }
  }
}
