import Bytes
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct FilePartTests {
    /// A file with a pattern of so many bytes.
    @LoopActor
    private func file(_ bytes: Bytes) async throws -> Descriptor {
      try await Pending { () throws(UVError) in
        let file = try Descriptor.scratchFile(in: TemporaryDirectory.parent)
        try file.write([bytes], at: 0)
        return file
      }.value()
    }

    /// Sends a part as a connection does.
    @LoopActor
    private func write(_ part: FilePart, to stream: SocketStream) async throws {
      var rest = part
      while !rest.isEmpty {
        try await stream.flush()
        let block = try await stream.send(&rest)
        if !block.isEmpty { try await stream.write([block]) }
      }
    }

    @Test(arguments: [true, false]) func `a part arrives intact, between other bytes`(isTCP: Bool)
      async throws
    {
      try await withPair(isTCP ? SocketPair.tcp : SocketPair.local) { pair in
        let (near, far) = (pair.near, pair.far)
        let bytes = pattern(24 << 20)
        let part = FilePart(of: try await self.file(bytes), at: 1000, count: bytes.count - 3000)
        let writer = Task { @LoopActor in
          try await near.write("before")
          try await self.write(part, to: near)
          try await near.write("behind")
        }
        #expect(try await far.read(6) == "before")
        #expect(same(try await far.read(part.count), bytes[1000..<bytes.count - 2000]))
        #expect(try await far.read(6) == "behind")
        try await writer.value
      }
    }

    @Test func `a file that is shorter than its part is an error`() async throws {
      try await withPair { pair in
        let part = FilePart(of: try await self.file("abc"), at: 1, count: 3)
        await #expect(throws: UVError.endOfFile) { try await self.write(part, to: pair.near) }
        await pair.near.close()
        #expect(try await pair.far.read(9) == "bc")
      }
    }

    @Test func `a stream that is closed while its peer reads nothing ends for both`() async throws {
      try await withPair { pair in
        let (near, far) = (pair.near, pair.far)
        let bytes = pattern(24 << 20)
        let part = FilePart(of: try await self.file(bytes), at: 0, count: bytes.count)
        let writer = Task { @LoopActor in try await self.write(part, to: near) }
        while near.output.queuedCount == 0 { try await EventLoop.sleep(for: .milliseconds(1)) }
        #expect(near.outputProgress != nil)
        await near.close()
        await #expect(throws: UVError.cancelled) { try await writer.value }
        // What the system has taken arrives, and then the end: no other descriptor holds the socket open.
        var count = 0
        while try await far.fill() {
          let piece = far.inbound.takeAll()
          #expect(same(piece, bytes[count..<count + piece.count]))
          count += piece.count
        }
        #expect(count > 0 && count < bytes.count)
      }
    }

    @Test func `a stream that changes bytes reads them`() async throws {
      try await onLoop {
        let bytes = pattern(1 << 20)
        var part = FilePart(of: try await self.file(bytes), at: 0, count: bytes.count)
        let stream = NoSocket()
        var blocks: [Bytes] = []
        while !part.isEmpty { blocks.append(try await stream.send(&part)) }
        #expect(blocks.count == 4 && same(Bytes.join(blocks), bytes))
      }
    }
  }
}

/// A stream without a socket, such as TLS. Only `send` is used.
@LoopActor
private final class NoSocket: ByteStream {
  var inbound = ByteBuffer()
  var isPeerGone: Bool { false }
  var outputProgress: Int? { nil }
  func fill() async throws -> Bool { false }
  func prepare(forTotal count: Int) {}
  func wakeReader() {}
  func pauseInput() {}
  func untilPeerIsGone() async {}
  func write(_ pieces: [Bytes]) async throws {}
  func flush() async throws {}
  func shutdownOutput() async throws {}
  func close() async {}
  func abort() {}
  func reset() {}
}
