import Bytes
import TestLoop
import Testing
import Wire

@testable import Jupyter
@testable import Loop

@Suite struct ReadAheadSocketTests {
  private static let limit = 1 << 20

  @Test func `long messages beyond the limit are dropped and counted`() async throws {
    try await withSocket { publisher, socket in
      let long = Bytes([UInt8](repeating: 0, count: 80_000))
      for number in 0..<20 {
        try await publisher.send([long])
        try await publisher.send([Bytes("\(number)")])
      }
      var dropped = 0
      while dropped < 8 * (long.count + MessageQueue.overhead) {
        dropped += socket.takeDropped()
        await Task.yield()
      }
      #expect(dropped == 8 * (long.count + MessageQueue.overhead))
      var lengths: [Int] = []
      while lengths.filter({ $0 < 3 }).count < 20 { lengths += try await socket.next().map(\.count) }
      #expect(lengths.filter { $0 == long.count }.count == 12)
    }
  }

  @Test func `a taken message makes room for others`() async throws {
    try await withSocket { publisher, socket in
      let long = Bytes([UInt8](repeating: 0, count: 200_000))
      for _ in 0..<5 {
        try await publisher.send([long])
        #expect(try await socket.next().map(\.count) == [long.count])
      }
      #expect(socket.takeDropped() == 0)
    }
  }

  @Test func `a single message may exceed the limit`() async throws {
    try await withSocket { publisher, socket in
      try await publisher.send([Bytes([UInt8](repeating: 0, count: 2 * Self.limit))])
      #expect(try await socket.next().map(\.count) == [2 * Self.limit])
    }
  }

  @Test func `too many short messages are an overrun`() async throws {
    try await withSocket { publisher, socket in
      // Each counts as longer than it is, so that the objects that hold it count as well.
      let count = 2 * Self.limit / MessageQueue.overhead
      let publishing = Task { @LoopActor in for _ in 0..<count { try await publisher.send([Bytes("x")]) } }
      try await untilItHasEnded(socket)
      #expect(throws: KernelOverrun.self) { while try socket.receive() != nil {} }
      // Its peer is gone for it, with the connection.
      _ = try? await publishing.value
    }
  }

  @LoopActor
  private func untilItHasEnded(_ socket: ReadAheadSocket) async throws {
    while !socket.isPeerLost { await Task.yield() }
  }

  private func withSocket(_ body: @escaping @LoopActor (ZMTPConnection, ReadAheadSocket) async throws -> Void)
    async throws
  {
    try await TestLoop.run {
      let context = try ZeroMQContext()
      let directory = try TemporaryDirectory(prefix: "read-ahead-")
      let path = "\(directory.path)/socket"
      let listener = try Listener.bind(path: path)
      let accepting = Task { @LoopActor in
        let publisher = ZMTPConnection(try await listener.accept(), as: .publisher)
        try await publisher.shakeHands()
        _ = try await publisher.next()
        return publisher
      }
      let connected = try await KernelSocketMaker.library(context).connect(
        to: .path(path), as: .subscriber, waiting: .here(limit: Self.limit), maximumMessageLength: 1 << 30)
      let socket = try #require(connected as? ReadAheadSocket)
      let publisher = try await accepting.value
      let outcome: Result<Void, any Error>
      do { outcome = .success(try await body(publisher, socket)) } catch { outcome = .failure(error) }
      publisher.close()
      socket.close()
      await listener.close()
      await context.close()
      await directory.remove()
      // The handles are closing: their turn of the loop is what the count waits for.
      await Task.yield()
      try outcome.get()
    }
  }
}
