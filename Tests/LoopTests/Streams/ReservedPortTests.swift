import Loop
import TestLoop
import Testing

@Suite struct ReservedPortTests {
  @Test func `a port that is reserved can be listened on by whoever names it, and is another's for nobody`()
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

  @Test func `one that is no more reserved is free`() async throws {
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
