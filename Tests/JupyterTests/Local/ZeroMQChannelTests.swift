import Loop
import Bytes
import TestLoop
import Testing
@testable import Wire

@testable import Jupyter

/// What makes the sockets.
private let both = [ZeroMQImplementation.direct, .library]

@Suite struct ZeroMQChannelTests {
  @Test(arguments: both)
  func `a request is signed, and its reply and output are received`(by: ZeroMQImplementation)
    async throws
  {
    try await withKernel(by) { kernel, channel in
      try await channel.send(MessageSession().kernelInformation())
      try await kernel.answer(on: kernel.shell)
      #expect(try await channel.next().summary == "shell:reply")
      try await kernel.publish("stream", content: #"{"text":"x"}"#)
      #expect(try await channel.next().summary == "iopub:stream")
    }
  }

  @Test(arguments: both)
  func `a message that is not signed with the key is ignored`(by: ZeroMQImplementation) async throws {
    try await withKernel(by) { kernel, channel in
      var forged = kernel.encode("forged")
      forged[1] = Bytes([UInt8](repeating: UInt8(ascii: "0"), count: 64))
      try await kernel.iopub.send(forged)
      try await kernel.iopub.send(["nonsense"])
      try await kernel.iopub.send(kernel.encode("altered").dropLast() + [#"{"evil":true}"#])
      try await kernel.publish("genuine")
      #expect(try await channel.next().summary == "iopub:genuine")
    }
  }

  @Test(arguments: both)
  func `a message with an invalid identifier is skipped, and the next one is received`(
    by: ZeroMQImplementation
  )
    async throws
  {
    try await withKernel(by, limits: .of(unreadOutput: 1 << 30)) { kernel, channel in
      let hostile = Bytes.join([#"{"msg_id":"#, JSONString.quote(marks(200_000)), "}"])
      let publishing = Task { @LoopActor in
        for _ in 0..<100 { try await kernel.iopub.send(kernel.encode("stream", parent: hostile)) }
        try await kernel.publish("genuine")
      }
      #expect(try await channel.next().summary == "iopub:genuine")
      try await publishing.value
    }
  }

  @Test(arguments: both)
  func `a message that another thread parses keeps its place`(by: ZeroMQImplementation)
    async throws
  {
    try await withKernel(by) { kernel, channel in
      let long = Bytes.join([
        #"{"text":""#, Bytes(repeatElement(UInt8(ascii: "x"), count: Computation.longLength)), #""}"#,
      ])
      let publishing = Task { @LoopActor in
        for number in 0..<8 {
          try await kernel.publish("long\(number)", content: long)
          try await kernel.publish("short\(number)")
        }
      }
      for number in 0..<8 {
        #expect(try await channel.next().summary == "iopub:long\(number)")
        #expect(try await channel.next().summary == "iopub:short\(number)")
      }
      try await publishing.value
    }
  }

  @Test(arguments: both)
  func `the kernel's end comes after everything it had sent`(by: ZeroMQImplementation) async throws {
    try await withKernel(by) { kernel, channel in
      let publishing = Task { @LoopActor in
        for _ in 0..<1000 { try await kernel.publish("stream") }
        try await kernel.iopub.stream.flush()
        kernel.iopub.close()
        kernel.shell.close()
        channel.kernelDied("killed by SIGKILL")
      }
      for _ in 0..<1000 { #expect(try await channel.next().summary == "iopub:stream") }
      #expect(try await channel.next().summary == "killed by SIGKILL")
      try await publishing.value
    }
  }

  @Test(arguments: both)
  func `the kernel's end is told even if a child process holds its sockets`(by: ZeroMQImplementation)
    async throws
  {
    try await withKernel(by) { kernel, channel in
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

  @Test(arguments: both, [KernelChannelName.iopub, .shell, .control])
  func `a kernel that lives on without one of its sockets is lost`(
    by: ZeroMQImplementation, name: KernelChannelName
  ) async throws {
    try await withKernel(by, lossLimit: .milliseconds(1)) { kernel, channel in
      try await kernel.publish("last words")
      #expect(try await channel.next().summary == "iopub:last words")
      kernel.connection(of: name).close()
      await #expect(throws: UVError.connectionReset) { _ = try await channel.next() }
    }
  }

  @Test(arguments: both)
  func `messages on the other sockets do not hide the loss of one`(by: ZeroMQImplementation) async throws {
    try await withKernel(by, lossLimit: .milliseconds(1)) { kernel, channel in
      kernel.iopub.close()
      let replying = Task { @LoopActor in
        while !Task.isCancelled { try await kernel.shell.send(kernel.encode("reply")) }
      }
      await #expect(throws: UVError.connectionReset) {
        while try await channel.next().summary == "shell:reply" {}
      }
      replying.cancel()
      _ = await replying.result
    }
  }

  @Test(arguments: both)
  func `a pending request on control fails when control is lost`(by: ZeroMQImplementation) async throws {
    try await withKernel(by) { kernel, channel in
      let asking = Task { @LoopActor in try await channel.ask(MessageSession().interrupt()) }
      _ = try await kernel.control.next()
      kernel.control.close()
      await #expect(throws: UVError.endOfFile) { try await asking.value }
    }
  }

  @Test(arguments: both)
  func `a PING is answered`(by: ZeroMQImplementation) async throws {
    try await withKernel(by) { kernel, _ in
      let ping: [UInt8] = [4, 8, 4] + Array("PING".utf8) + [0, 10, 0x61]
      let pong: [UInt8] = [4, 6, 4] + Array("PONG".utf8) + [0x61]
      let stream = kernel.control.stream
      try await stream.write([Bytes(ping)])
      while stream.inbound.count < pong.count { guard try await stream.fill() else { break } }
      #expect(stream.inbound.takeAll() == Bytes(pong))
    }
  }

  @Test(arguments: both)
  func `a request to a kernel that has just died does not hide its death`(by: ZeroMQImplementation)
    async throws
  {
    try await withKernel(by) { kernel, channel in
      try await kernel.publish("last words")
      for connection in [kernel.iopub, kernel.shell, kernel.control] { await connection.stream.close() }
      try await channel.send(MessageSession().kernelInformation())
      try await channel.send(MessageSession().interrupt())
      channel.kernelDied("killed by SIGKILL")
      #expect(try await channel.next().summary == "iopub:last words")
      #expect(try await channel.next().summary == "killed by SIGKILL")
    }
  }

  @Test(arguments: [true, false])
  func `whether a kernel got the last request before it died is known by its connection`(isRead: Bool)
    async throws
  {
    try await withKernel(.direct) { kernel, channel in
      let requests = [MessageSession().kernelInformation(), MessageSession().kernelInformation()]
      try await channel.send(requests[0])
      _ = try await kernel.shell.next()
      try await channel.send(requests[1])
      if isRead { _ = try await kernel.shell.next() }
      for connection in [kernel.iopub, kernel.shell, kernel.control] { connection.close() }
      channel.kernelDied("killed by SIGKILL")
      #expect(try await channel.next().summary == "killed by SIGKILL")
      #expect(!channel.hasMissed(requests[0].identifier))
      #expect(channel.hasMissed(requests[1].identifier) == !isRead)
      // What comes too late is missed in any case.
      let late = MessageSession().kernelInformation()
      try await channel.send(late)
      #expect(channel.hasMissed(late.identifier))
    }
  }

  @Test(arguments: both)
  func `bytes that are not ZMTP end the channel`(by: ZeroMQImplementation) async throws {
    try await withKernel(by, lossLimit: .milliseconds(1)) { kernel, channel in
      try await kernel.publish("last words")
      try await kernel.iopub.stream.write([Bytes([UInt8](repeating: 0xFF, count: 9))])
      #expect(try await channel.next().summary == "iopub:last words")
      await #expect(throws: (any Error).self) { _ = try await channel.next() }
    }
  }

  @Test(arguments: both)
  func `a message over the limit ends the channel before it has arrived`(by: ZeroMQImplementation)
    async throws
  {
    let limits = KernelLimits.of(maximumMessage: 10_000)
    try await withKernel(by, lossLimit: .milliseconds(1), limits: limits) { kernel, channel in
      try await kernel.publish("last words")
      // The header of a frame of 1 GiB, and nothing behind it.
      try await kernel.iopub.stream.write([Bytes([2, 0, 0, 0, 0, 0x40, 0, 0, 0])])
      #expect(try await channel.next().summary == "iopub:last words")
      await #expect(throws: (any Error).self) { _ = try await channel.next() }
    }
  }

  @Test(arguments: both)
  func `parts count together towards the limit`(by: ZeroMQImplementation) async throws {
    let limits = KernelLimits.of(maximumMessage: 10_000)
    try await withKernel(by, lossLimit: .milliseconds(1), limits: limits) { kernel, channel in
      let part = Bytes([UInt8](repeating: 0, count: 4000))
      try await kernel.iopub.send([part, part, part])
      await #expect(throws: (any Error).self) { _ = try await channel.next() }
    }
  }

  @Test func `a single message may exceed the limit`() async throws {
    try await withKernel(.library, limits: .of(unreadOutput: 1000)) { kernel, channel in
      let text = String(repeating: "x", count: 1_000_000)
      try await kernel.publish("stream", content: Bytes(#"{"text":"\#(text)"}"#))
      #expect(try await channel.next().summary == "iopub:stream")
    }
  }

  @Test(arguments: both)
  func `a long message arrives as it was sent, between short ones`(by: ZeroMQImplementation) async throws {
    try await withKernel(by) { kernel, channel in
      let text = String(repeating: "0123456789", count: 2_000_000)
      try await kernel.publish("stream", content: #"{"text":"before"}"#)
      let publishing = Task { @LoopActor in
        try await kernel.publish("stream", content: Bytes(#"{"text":"\#(text)"}"#))
        try await kernel.publish("stream", content: #"{"text":"behind"}"#)
      }
      for expected in ["before", text, "behind"] {
        guard case .message(let message) = try await channel.next() else { throw UVError.endOfFile }
        #expect(try message.content()["text"]?.stringContents == Bytes(expected))
      }
      try await publishing.value
    }
  }

  @Test(arguments: both)
  func `replies on control that nobody waits for do not pile up`(by: ZeroMQImplementation) async throws {
    try await withKernel(by) { kernel, channel in
      for _ in 0..<100 { try await kernel.control.send(kernel.encode("reply")) }
      // Behind them, so that they were taken.
      let answering = Task { try await kernel.answer(on: kernel.control) }
      try await channel.ask(MessageSession().interrupt())
      try await answering.value
      try await kernel.publish("stream")
      #expect(try await channel.next().summary == "iopub:stream")
    }
  }

  @Test(arguments: both)
  func `a request on control is answered while nobody reads the output`(by: ZeroMQImplementation)
    async throws
  {
    try await withKernel(by, keepsOutput: true) { kernel, channel in
      // More than both sides hold back: the kernel has to wait with it.
      let content = Bytes(#"{"text":"\#(String(repeating: "x", count: 10_000))"}"#)
      let flooding = Task { @LoopActor in
        for _ in 0..<1000 { try await kernel.publish("flood", content: content) }
      }
      let answering = Task { try await kernel.answer(on: kernel.control) }
      try await channel.ask(MessageSession().interrupt())
      try await answering.value
      for _ in 0..<1000 { #expect(try await channel.next().summary == "iopub:flood") }
      try await flooding.value
    }
  }

  @Test(arguments: both)
  func `closing the channel ends pending reads and requests`(by: ZeroMQImplementation) async throws {
    try await withKernel(by) { _, channel in
      let reading = Task { @LoopActor in try await channel.next() }
      let asking = Task { @LoopActor in try await channel.ask(MessageSession().interrupt()) }
      await Task.yield()
      await channel.close()
      await #expect(throws: UVError.cancelled) { _ = try await reading.value }
      // The kernel can still be asked to end.
      try await channel.send(MessageSession().shutdown())
      channel.abort()
      await #expect(throws: UVError.cancelled) { try await asking.value }
      await #expect(throws: UVError.cancelled) { try await channel.send(MessageSession().shutdown()) }
    }
  }

  private func withKernel(
    _ by: ZeroMQImplementation, keepsOutput: Bool = false, lossLimit: Duration = .seconds(60),
    limits: KernelLimits = KernelLimits(),
    _ body: @escaping @LoopActor (FakeKernel, ZeroMQChannel) async throws -> Void
  ) async throws {
    try await TestLoop.run {
      let kernel = try await FakeKernel(
        by, keepsOutput: keepsOutput, lossLimit: lossLimit, limits: limits)
      do {
        try await body(kernel, kernel.channel)
      } catch {
        await kernel.close()
        throw error
      }
      await kernel.close()
      // The handles are closing: their turn of the loop is what the count waits for.
      await Task.yield()
    }
  }
}

extension KernelLimits {
  fileprivate static func of(
    maximumMessage: Int = KernelLimits().maximumMessage, unreadOutput: Int = KernelLimits().unreadOutput
  ) -> KernelLimits {
    var limits = KernelLimits()
    limits.maximumMessage = maximumMessage
    limits.unreadOutput = unreadOutput
    return limits
  }
}
