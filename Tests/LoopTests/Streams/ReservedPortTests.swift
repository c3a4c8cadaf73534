import TestLoop
import Testing

@testable import Loop

@Suite struct ReservedPortTests {
  @Test func `a reserved port can be bound by its number and is not chosen for port 0`()
    async throws
  {
    try await TestLoop.run {
      let reserved = try (0..<20).map { _ in try ReservedPort() }
      #expect(Set(reserved.map(\.number)).count == 20)
      var taken = 0
      for port in reserved {
        do {
          let listener = try await Listener.bind(host: "127.0.0.1", port: port.number)
          let stream = try await SocketStream.connect(
            host: "127.0.0.1", port: port.number, timeout: .seconds(10))
          await stream.close()
          await listener.close()
        } catch let error as UVError where error == .addressInUse {
          taken += 1
        }
      }
      // Another process may have chosen one of them before, and bind it by its number meanwhile, as Jupyter's kernels do.
      #expect(taken < 5)
      await Task.yield()
    }
  }

  @Test func `a port that is no longer reserved is free`() async throws {
    try await TestLoop.run {
      // Others may take the port then: once more.
      for _ in 0..<10 {
        var port: UInt16 = 0
        do { port = try ReservedPort().number }
        guard let listener = try? await Listener.bind(host: "127.0.0.1", port: port) else { continue }
        #expect(listener.localAddress?.port == port)
        await listener.close()
        await Task.yield()
        return
      }
      Issue.record("no port was free")
    }
  }
}
