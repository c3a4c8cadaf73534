import Bytes
import Logging
import Loop
import TestLoop
import Testing
import Wire

@testable import Jupyter
@testable import Server

@Suite struct ExecutionRunTests {
  @Test func `the kernel's output reaches the sink in order`() async throws {
    try await withContext { provider, context in
      let channel = try #require(provider.channels["kernel-1"])
      channel.onExecution = {
        try channel.accept($0)
        try channel.printText("a", to: $0)
        try channel.printText("b", to: $0)
        try channel.finish($0)
      }
      #expect(await Self.run(in: context).calls == ["begin", "accepted 1", "stdout a", "stdout b", "finish"])
    }
  }

  @Test func `executions run one after the other`() async throws {
    try await withContext { provider, context in
      let channel = try #require(provider.channels["kernel-1"])
      let runs = (0..<3).map { _ in LoopActor.task { await Self.run(in: context).calls } }
      for count in 1...3 {
        try await Self.until { channel.executions.count == count }
        for _ in 0..<20 { await Task.yield() }
        #expect(channel.executions.count == count)
        try channel.finish(channel.executions[count - 1])
      }
      for run in runs { #expect(await run.value == ["begin", "accepted 1", "finish"]) }
    }
  }

  @Test func `an execution whose client leaves while it waits does not run`() async throws {
    try await withContext { provider, context in
      let channel = try #require(provider.channels["kernel-1"])
      let first = LoopActor.task { await Self.run(in: context).calls }
      try await Self.until { channel.executions.count == 1 }
      let sink = FakeSink()
      let second = Self.makeRun(in: context, sink: sink)
      let running = LoopActor.task { await second.run() }
      try await Self.until { context.mutex.waitingCount == 1 }
      sink.onLoss?()
      await running.value
      #expect(sink.calls == ["begin", "error ExecutionInterrupted", "finish"])
      #expect(channel.executions.count == 1)
      try channel.finish(channel.executions[0])
      #expect(await first.value == ["begin", "accepted 1", "finish"])
    }
  }

  @Test func `code that misses an interrupt is interrupted again`() async throws {
    try await withContext { provider, context in
      let channel = try #require(provider.channels["kernel-1"])
      channel.onExecution = { try channel.accept($0) }
      provider.onInterrupt = {
        guard provider.interruptCount == 2 else { return }
        try? channel.finish(channel.executions[0], #"{"status": "error", "ename": "KeyboardInterrupt"}"#)
      }
      #expect(
        try await Self.interruptedRun(in: context).calls == [
          "begin", "accepted 1", "error KeyboardInterrupt", "finish",
        ])
      #expect(provider.interruptCount == 2 && provider.living == ["kernel-1"])
    }
  }

  @Test func `an interrupted execution ends without its reply if the kernel has lost it`() async throws {
    try await withContext { provider, context in
      let channel = try #require(provider.channels["kernel-1"])
      channel.onExecution = { try channel.accept($0) }
      provider.onInterrupt = {
        try? channel.say(.iopub, "status", #"{"execution_state": "idle"}"#, to: channel.executions[0])
      }
      #expect(
        try await Self.interruptedRun(in: context).calls == [
          "begin", "accepted 1", "error ExecutionInterrupted", "finish",
        ])
    }
  }

  @Test func `a client that does not read keeps no one waiting once its kernel is gone`() async throws {
    try await withContext { provider, context in
      let channel = try #require(provider.channels["kernel-1"])
      channel.onExecution = { try channel.accept($0) }
      let sink = FakeSink()
      let gate = Promise<Void>()
      sink.gate = gate
      let blocked = Self.makeRun(in: context, sink: sink)
      let running = LoopActor.task { await blocked.run() }
      try await Self.until { sink.calls.contains("accepted 1") }
      try await context.restart()
      let next = try #require(provider.channels["kernel-2"])
      next.onExecution = { try next.finish($0) }
      #expect(await Self.run(in: context).calls == ["begin", "accepted 1", "finish"])
      gate.fulfil(())
      await running.value
      #expect(sink.calls == ["begin", "accepted 1", "error KernelRestarted", "finish"])
    }
  }

  @Test func `output after the idle status still belongs to the execution`() async throws {
    try await withContext(language: "julia") { provider, context in
      let channel = try #require(provider.channels["kernel-1"])
      channel.onExecution = {
        try channel.finish($0)
        try channel.printText("late", to: $0)
      }
      #expect(await Self.run(in: context).calls == ["begin", "accepted 1", "stdout late", "finish"])
    }
  }

  @Test func `late output of Deno comes before the mark that is printed after it`() async throws {
    try await withContext(language: "typescript") { provider, context in
      let channel = try #require(provider.channels["kernel-1"])
      channel.onExecution = { request in
        try channel.finish(request)
        guard let code = try JSONSlice.parse(request.frame.content)["code"]?.text.map(String.init),
          let mark = code.split(separator: "\"").first(where: { $0.hasPrefix("code-interpreter-") })
        else { return }
        try channel.printText("late", to: channel.executions[0])
        try channel.printText("later", to: request)
        try channel.printText(String(mark), to: request)
      }
      #expect(
        await Self.run(in: context).calls == [
          "begin", "accepted 1", "stdout late", "stdout later", "finish",
        ])
    }
  }

  @Test func `a mark that cannot be printed does not block the execution`() async throws {
    try await withContext(language: "typescript") { provider, context in
      let channel = try #require(provider.channels["kernel-1"])
      channel.onExecution = { request in
        let isMark = channel.executions.count > 1
        try channel.finish(
          request, isMark ? #"{"status": "error"}"# : #"{"status": "ok", "execution_count": 1}"#)
      }
      #expect(await Self.run(in: context).calls == ["begin", "accepted 1", "finish"])
    }
  }

  @Test func `a kernel that dies ends its execution, and the next one runs in another`() async throws {
    try await withContext { provider, context in
      let channel = try #require(provider.channels["kernel-1"])
      channel.onExecution = {
        try channel.accept($0)
        channel.die()
      }
      #expect(await Self.run(in: context).calls == ["begin", "accepted 1", "error KernelDied", "finish"])
      try await Self.until { context.isReady && provider.living == ["kernel-2"] }
      let next = try #require(provider.channels["kernel-2"])
      next.onExecution = { try next.finish($0) }
      #expect(
        await Self.run(in: context).calls == [
          "begin", "restarted: killed by SIGKILL", "accepted 1", "finish",
        ])
    }
  }

  @Test func `a server that drains interrupts what still runs`() async throws {
    try await withContext { provider, context in
      let channel = try #require(provider.channels["kernel-1"])
      channel.onExecution = { try channel.accept($0) }
      provider.onInterrupt = {
        try? channel.finish(channel.executions[0], #"{"status": "error", "ename": "KeyboardInterrupt"}"#)
      }
      let executions = ExecutionStore(ExecutionOptions(), logger: Self.logger)
      let sink = FakeSink()
      let resource = try executions.add("1", in: context, keepsLines: false)
      let run = Self.makeRun(in: context, sink: sink, resource: resource)
      let running = LoopActor.task {
        executions.begin(resource, run)
        await executions.follow(resource)
      }
      try await Self.until { sink.calls.contains("accepted 1") }
      await executions.drain(grace: .milliseconds(10), afterInterrupt: .seconds(60))
      await running.value
      #expect(sink.calls == ["begin", "accepted 1", "error KeyboardInterrupt", "finish"])
      #expect(throws: (any Error).self) { try executions.admit() }
    }
  }

  private func withContext(
    language: String = "python",
    _ body: @escaping @LoopActor (FakeKernelProvider, Context) async throws -> Void
  ) async throws {
    try await TestLoop.run {
      let provider = FakeKernelProvider()
      let context = Context(
        language: language, spec: KernelSpec(name: "fake", displayName: "Fake", language: language),
        directory: "/", isDirectoryRequested: false, isDefault: false, provider: provider, logger: Self.logger
      )
      _ = try await context.ready()
      try await body(provider, context)
      await context.delete(because: "the test is over")
      // The closure of a test may hold the provider.
      provider.onInterrupt = {}
      await Task.yield()
    }
  }

  private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  @LoopActor
  private static func makeRun(
    in context: Context, sink: FakeSink, resource: ExecutionResource? = nil, timeout: Duration? = nil
  ) -> ExecutionRun {
    let parameters = ExecutionRun.Parameters(code: "", environment: nil, timeout: timeout)
    let record = ExecutionRecord(identifier: "1", contextIdentifier: "2", language: "python")
    return ExecutionRun(
      parameters, in: context, sink: sink, resource: resource ?? ExecutionResource(record, number: 1),
      logger: logger)
  }

  /// Runs code to its end.
  @LoopActor
  private static func run(in context: Context) async -> FakeSink {
    let sink = FakeSink()
    await makeRun(in: context, sink: sink).run()
    return sink
  }

  /// Runs code that is interrupted as soon as the kernel has accepted it.
  @LoopActor
  private static func interruptedRun(in context: Context) async throws -> FakeSink {
    let sink = FakeSink()
    let run = makeRun(in: context, sink: sink)
    let running = LoopActor.task { await run.run() }
    try await until { sink.calls.contains("accepted 1") }
    run.interrupt()
    await running.value
    return sink
  }

  @LoopActor
  private static func until(_ condition: @LoopActor () -> Bool) async throws {
    for _ in 0..<100_000 where !condition() { await Task.yield() }
    try #require(condition())
  }
}
