import Bytes
import Logging
import Loop
import TestLoop
import Testing
import Wire

@testable import Jupyter

@Suite struct RepliesTests {
  @Test func `replies come in order and end after reply and idle`() async throws {
    try await withKernel { kernel, channel in
      let request = try await kernel.session.execution(of: "")
      channel.onExecution = {
        try channel.accept($0)
        for text in ["a", "b", "c"] { try channel.printText(text, to: $0) }
        try channel.finish($0)
      }
      var texts: [String] = []
      var types: [MessageType] = []
      for try await message in try await kernel.replies(to: request) {
        types.append(message.header.type)
        if message.header.type == .stream { texts.append(try message.content()["text"]?.excerpt() ?? "") }
      }
      #expect(texts == ["a", "b", "c"])
      #expect(types == [.status, .executeInput, .stream, .stream, .stream, .executeReply, .status])
    }
  }

  @Test(arguments: [(1, PendingRequest.mostMessages), (PendingRequest.mostBytes, 1)])
  func `no more than a few messages are taken from the kernel while the consumer is busy`(
    length: Int, most: Int
  ) async throws {
    try await withKernel { kernel, channel in
      let before = channel.takenCount
      let text = String(repeating: "x", count: length)
      channel.onExecution = {
        for _ in 0..<100 { try channel.printText(text, to: $0) }
        try channel.finish($0)
      }
      var count = 0
      for try await _ in try await kernel.replies(to: kernel.session.execution(of: "")) {
        count += 1
        for _ in 0..<20 { await Task.yield() }
        #expect(channel.takenCount - before <= count + most)
      }
      #expect(count == 102)
    }
  }

  @Test func `messages from before a kernel's end come before it`() async throws {
    try await withKernel { kernel, channel in
      channel.onExecution = {
        try channel.accept($0)
        channel.die()
      }
      var types: [MessageType] = []
      await #expect(throws: KernelEnd.died("killed by SIGKILL")) {
        for try await message in try await kernel.replies(to: kernel.session.execution(of: "")) {
          types.append(message.header.type)
          #expect(kernel.end == nil)
        }
      }
      #expect(types == [.status, .executeInput])
    }
  }

  @Test func `a reply of another process shows a restart`() async throws {
    try await withKernel(session: "first") { kernel, channel in
      channel.onExecution = {
        // What the new process publishes is missed.
        channel.session = "second"
        try channel.say(.shell, "execute_reply", #"{"status": "ok", "execution_count": 1}"#, to: $0)
      }
      await #expect(throws: KernelEnd.died(Kernel.restartedByOthers)) {
        for try await _ in try await kernel.replies(to: kernel.session.execution(of: "")) {}
      }
    }
  }

  @Test func `a busy consumer is notified of a killed kernel`() async throws {
    try await withKernel { kernel, channel in
      channel.onExecution = { try channel.accept($0) }
      let replies = try await kernel.replies(to: kernel.session.execution(of: ""))
      var told: KernelEnd?
      replies.onKernelEnd { told = $0 }
      var iterator = replies.makeAsyncIterator()
      _ = try await iterator.next(isolation: LoopActor.shared)
      await kernel.kill(because: .restarted)
      #expect(told == .restarted)
      await #expect(throws: KernelEnd.restarted) {
        while try await iterator.next(isolation: LoopActor.shared) != nil {}
      }
    }
  }

  @Test func `an abandoned request does not block the kernel's other messages`() async throws {
    try await withKernel { kernel, channel in
      channel.onExecution = {
        for text in ["a", "b", "c"] { try channel.printText(text, to: $0) }
        try channel.finish($0)
      }
      for try await _ in try await kernel.replies(to: kernel.session.execution(of: "")) { break }
      var count = 0
      for try await _ in try await kernel.replies(to: kernel.session.execution(of: "")) { count += 1 }
      #expect(count == 5)
    }
  }

  @Test func `a cancelled consumer does not block the kernel's other messages`() async throws {
    try await withKernel { kernel, channel in
      await #expect(throws: DeadlineExceeded.self) {
        try await withDeadline(.milliseconds(1)) {
          for try await _ in try await kernel.replies(to: kernel.session.execution(of: "")) {}
        }
      }
      channel.onExecution = { try channel.finish($0) }
      for try await _ in try await kernel.replies(to: kernel.session.execution(of: "")) {}
    }
  }

  @Test func `a request that has lost its reply ends when a later one is answered`() async throws {
    try await withKernel { kernel, channel in
      channel.onExecution = { try channel.say(.iopub, "status", #"{"execution_state": "idle"}"#, to: $0) }
      let request = try await kernel.session.execution(of: "")
      for try await message in try await kernel.replies(to: request) {
        if message.isIdle { LoopActor.task { await kernel.concludeIfLost(request) } }
      }
    }
  }

  private func withKernel(
    session: String = "",
    _ body: @escaping @LoopActor (Kernel, FakeChannel) async throws -> Void
  ) async throws {
    try await TestLoop.run {
      let provider = FakeKernelProvider()
      provider.session = session
      let kernel = try await Kernel.start(
        FakeKernelProvider.spec, on: provider, in: "/", environment: [:], isolation: KernelIsolation(),
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      let channel = try #require(provider.channels["kernel-1"])
      // The last of the answer to its first question.
      while channel.takenCount < 3 { await Task.yield() }
      try await body(kernel, channel)
      await kernel.kill(because: .shutDown("the test is over"))
      await Task.yield()
    }
  }
}
