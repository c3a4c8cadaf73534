import Loop
import Testing

extension LoopTests {
  @Suite struct Promises {
    @Test func `Tasks that wait before and tasks that ask later get the first value`() async throws {
      try await onLoop {
        let promise = Promise<Int>()
        let early = (0..<3).map { _ in LoopActor.task { try await promise.get() } }
        await Task.yield()
        #expect(promise.value == nil)
        promise.fulfil(1)
        promise.fulfil(2)
        for waiter in early {
          let value = try await waiter.value
          #expect(value == 1)
        }
        #expect(await promise.getRegardless() == 1)
      }
    }

    @Test func `A waiting task can be cancelled, except in getRegardless`() async throws {
      try await onLoop {
        let promise = Promise<Int>()
        let waiting = LoopActor.task { try await promise.get() }
        let staying = LoopActor.task { await promise.getRegardless() }
        await Task.yield()
        waiting.cancel()
        staying.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        promise.fulfil(3)
        #expect(await staying.value == 3)
      }
    }
  }
}
