import TestLoop
import Glibc
import Bytes
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct ListenerTests {
    @Test func `many connections are accepted by several tasks, each once`() async throws {
      try await onLoop {
        let listener = try await Listener.bind(host: "127.0.0.1", port: 0)
        let port = try #require(listener.localAddress?.port)
        let accepting = (0..<3).map { _ in
          Task { @LoopActor in
            var accepted: [SocketStream] = []
            while let stream = try? await listener.accept() { accepted.append(stream) }
            return accepted
          }
        }
        var connected: [SocketStream] = []
        for _ in 0..<100 {
          connected.append(
            try await SocketStream.connect(host: "127.0.0.1", port: port, timeout: .seconds(10)))
        }
        for stream in connected { try await stream.write("hello") }
        while listener.hasPending { await Task.yield() }
        await listener.close()
        var count = 0
        for task in accepting {
          for stream in await task.value {
            #expect(try await stream.read(5) == "hello")
            await stream.close()
            count += 1
          }
        }
        #expect(count == 100)
        for stream in connected { await stream.close() }
      }
    }

    @Test func `an accept that is cancelled before and while it waits takes no connection`() async throws {
      try await onLoop {
        let listener = try await Listener.bind(host: "127.0.0.1", port: 0)
        let port = try #require(listener.localAddress?.port)
        let before = Task { @LoopActor in
          withUnsafeCurrentTask { $0?.cancel() }
          return try await listener.accept()
        }
        await #expect(throws: CancellationError.self) { try await before.value }
        let during = Task { @LoopActor in try await listener.accept() }
        await Task.yield()
        during.cancel()
        await #expect(throws: CancellationError.self) { try await during.value }
        // This connection arrives while no task accepts.
        let far = try await SocketStream.connect(host: "127.0.0.1", port: port, timeout: .seconds(10))
        for _ in 0..<5 { await Task.yield() }
        let near = try await listener.accept()
        await near.close()
        await far.close()
        await listener.close()
      }
    }

    @Test func `an accept whose listener is closed throws cancelled`() async throws {
      try await onLoop {
        let listener = try await Listener.bind(host: "127.0.0.1", port: 0)
        let accepting = Task { @LoopActor in try await listener.accept() }
        await Task.yield()
        await listener.close()
        await #expect(throws: UVError.cancelled) { try await accepting.value }
        await #expect(throws: UVError.cancelled) { try await listener.accept() }
        await listener.close()
      }
    }

    @Test func `a port in use is refused, and one that was just closed is free`() async throws {
      try await onLoop {
        let first = try await Listener.bind(host: "127.0.0.1", port: 0)
        let port = try #require(first.localAddress?.port)
        await #expect(throws: UVError.addressInUse) { try await Listener.bind(host: "127.0.0.1", port: port) }
        await first.close()
        let second = try await Listener.bind(host: "127.0.0.1", port: port)
        #expect(second.localAddress?.port == port)
        await second.close()
      }
    }

    @Test func `Unix sockets connect, and paths that no socket can have are refused`() async throws {
      let path = "/tmp/loop-tests-\(getpid()).sock"
      try await onLoop {
        let listener = try Listener.bind(path: path)
        let far = try await SocketStream.connect(path: path, timeout: .seconds(10))
        let near = try await listener.accept()
        try await far.write("over the wall")
        #expect(try await near.read(13) == "over the wall")
        #expect(far.peerAddress == nil && listener.localAddress == nil)
        try await near.shutdownOutput()
        #expect(try await far.fill() == false)
        await near.close()
        await far.close()
        await listener.close()
        unlink(path)
        await #expect(throws: UVError.noEntry) {
          try await SocketStream.connect(path: path, timeout: .seconds(10))
        }
        let long = String(repeating: "x", count: 200)
        await #expect(throws: UVError.nameTooLong) {
          try await SocketStream.connect(path: long, timeout: .seconds(10))
        }
        await #expect(throws: UVError.invalidArgument) {
          try await SocketStream.connect(path: "a\0b", timeout: .seconds(10))
        }
      }
    }

    @Test func `a listener without free descriptors pauses and goes on`() async throws {
      await #expect(processExitsWith: .success) {
        let code = EventLoop.shared.run {
          do { return try await acceptWithoutDescriptors() } catch { return 2 }
        }
        exit(code)
      }
    }
  }
}

/// Uses up the descriptors of this process, makes a connection, and frees one descriptor.
@LoopActor
private func acceptWithoutDescriptors() async throws -> Int32 {
  let listener = try await Listener.bind(host: "127.0.0.1", port: 0)
  let port = listener.localAddress?.port ?? 0
  let far = try await SocketStream.connect(host: "127.0.0.1", port: port, timeout: .seconds(10))
  var limit = rlimit(rlim_cur: 64, rlim_max: 64)
  guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 3 }
  var held: [CInt] = []
  while true {
    let descriptor = open("/dev/null", O_RDONLY)
    if descriptor < 0 { break }
    held.append(descriptor)
  }
  let accepting = Task { @LoopActor in try await listener.accept() }
  let start = clock()
  try await EventLoop.sleep(for: .milliseconds(120))
  let isSpinning = Double(clock() - start) / Double(CLOCKS_PER_SEC) > 0.05
  for descriptor in held { close(descriptor) }
  let near = try await accepting.value
  await near.close()
  await far.close()
  await listener.close()
  return isSpinning ? 4 : 0
}

extension Listener {
  /// True while connections wait in the backlog.
  var hasPending: Bool {
    guard isOpen else { return false }
    var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return Glibc.poll(&poll, 1, 0) > 0
  }
}
