import Loop
import TestLoop
import Testing

@Suite struct ReservedPortTests {
  @Test func `a reserved port can be bound by its number and is not chosen for port 0`()
    async throws
  {
    try await TestLoop.run {
      let reserved = try (0..<20).map { _ in try ReservedPort() }
      #expect(Set(reserved.map(\.number)).count == 20)
      for port in reserved {
        let listener = try await Listener.bind(host: "127.0.0.1", port: port.number)
        let stream = try await SocketStream.connect(
          host: "127.0.0.1", port: port.number, timeout: .seconds(10))
        await stream.close()
        await listener.close()
      }
      await Task.yield()
    }
  }

  @Test func `a port that is no longer reserved is free`() async throws {
    try await TestLoop.run {
      var port: UInt16 = 0
      do { port = try ReservedPort().number }
      let listener = try await Listener.bind(host: "127.0.0.1", port: port)
      #expect(listener.localAddress?.port == port)
      await listener.close()
      await Task.yield()
    }
  }
}
