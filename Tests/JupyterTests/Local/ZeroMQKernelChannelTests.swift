import Loop
import Memory
import TestLoop
import Testing

@testable import Jupyter

@Suite struct ZeroMQKernelChannelTests {
  @Test func `a request is signed, and its reply and the output come to whoever asks`() async throws {
    try await withKernel { kernel, channel in
      try await channel.send(MessageSession().kernelInformation())
      try await kernel.answer(on: kernel.shell)
      #expect(try await channel.next().summary == "shell:reply")
      try await kernel.publish("stream", content: #"{"text":"x"}"#)
      #expect(try await channel.next().summary == "iopub:stream")
    }
  }

  @Test func `what is not signed with the key is as good as not sent`() async throws {
    try await withKernel { kernel, channel in
      var forged = kernel.encode("forged")
      forged[1] = Bytes([UInt8](repeating: UInt8(ascii: "0"), count: 64))
      try await kernel.iopub.send(forged)
      try await kernel.iopub.send(["nonsense"])
      try await kernel.iopub.send(kernel.encode("altered").dropLast() + [#"{"evil":true}"#])
      try await kernel.publish("genuine")
      #expect(try await channel.next().summary == "iopub:genuine")
    }
  }

  @Test func `the end comes behind all that was said before it`() async throws {
    try await withKernel { kernel, channel in
      for _ in 0..<1000 { try await kernel.publish("stream") }
      kernel.iopub.close()
      kernel.shell.close()
      channel.kernelDied("killed by SIGKILL")
      // Closing drops what has not left; what has left is heard, and then the end.
      var events: [String] = []
      while events.last != "killed by SIGKILL" { events.append(try await channel.next().summary) }
      #expect(events.dropLast().allSatisfy { $0 == "iopub:stream" })
    }
  }

  @Test func `the end is told also where a child of the kernel holds its sockets`() async throws {
    try await withKernel { kernel, channel in
      try await kernel.publish("last words")
      let reading = Task { @LoopActor in
        var events = [try await channel.next().summary]
        events.append(try await channel.next().summary)
        return events
      }
      await Task.yield()
      channel.kernelDied("exited with status 1")
      #expect(try await reading.value == ["iopub:last words", "exited with status 1"])
    }
  }

  @Test func `a kernel that lives on without its sockets is lost`() async throws {
    try await withKernel(lossLimit: .milliseconds(1)) { kernel, channel in
      try await kernel.publish("last words")
      #expect(try await channel.next().summary == "iopub:last words")
      kernel.iopub.close()
      kernel.shell.close()
      await #expect(throws: UVError.connectionReset) { _ = try await channel.next() }
    }
  }

  @Test func `a question on control is answered while nobody takes the output`() async throws {
    try await withKernel(keepsOutput: true) { kernel, channel in
      for _ in 0..<1000 { try await kernel.publish("flood") }
      let answering = Task { try await kernel.answer(on: kernel.control) }
      try await channel.ask(ControlRequest.interrupt.make())
      try await answering.value
      for _ in 0..<1000 { #expect(try await channel.next().summary == "iopub:flood") }
    }
  }

  @Test func `who waits when the channel is closed is told`() async throws {
    try await withKernel { _, channel in
      let reading = Task { @LoopActor in try await channel.next() }
      let asking = Task { @LoopActor in try await channel.ask(ControlRequest.interrupt.make()) }
      await Task.yield()
      await channel.close()
      await #expect(throws: UVError.cancelled) { _ = try await reading.value }
      // The kernel can still be asked to end.
      try await channel.send(ControlRequest.shutdown.make())
      channel.abort()
      await #expect(throws: UVError.cancelled) { try await asking.value }
      await #expect(throws: UVError.cancelled) { try await channel.send(ControlRequest.shutdown.make()) }
    }
  }

  private func withKernel(
    keepsOutput: Bool = false, lossLimit: Duration = .seconds(60),
    _ body: @escaping @LoopActor (FakeKernel, ZeroMQKernelChannel) async throws -> Void
  ) async throws {
    try await TestLoop.run {
      let kernel = try FakeKernel()
      do {
        let channel = try await kernel.channel(keepsOutput: keepsOutput, lossLimit: lossLimit)
        try await body(kernel, channel)
        channel.abort()
      } catch {
        await kernel.close()
        throw error
      }
      await kernel.close()
      await Task.yield()
    }
  }
}
