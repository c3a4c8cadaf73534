import Jupyter
import Logging
import Loop
import TestLoop
import Testing

@testable import Server

@Suite struct ContextTests {
  @Test func `a kernel that dies is replaced once`() async throws {
    try await withContext { provider, context in
      provider.channels["kernel-1"]?.die()
      try await Self.until { provider.living == ["kernel-2"] && context.isReady }
      #expect(try await context.ready().end == nil)
    }
  }

  @Test func `a kernel that outlives its connection keeps its memory`() async throws {
    try await withContext { provider, context in
      let first = provider.channels["kernel-1"]
      provider.onReconnect = { _ in FakeChannel() }
      first?.breakOff()
      try await Self.until {
        provider.channels["kernel-1"] !== first && context.isReady && !context.isDisconnected
      }
      #expect(provider.living == ["kernel-1"])
    }
  }

  @Test func `a kernel that ends during a reconnect is replaced by one kernel, not two`() async throws {
    try await withContext { provider, context in
      provider.onReconnect = { _ in FakeChannel(isDoomed: true) }
      provider.channels["kernel-1"]?.breakOff()
      try await Self.until { context.isReady && provider.living != ["kernel-1"] }
      #expect(provider.living == ["kernel-2"])
      // What replaces it is looked after, as any.
      provider.channels["kernel-2"]?.die()
      try await Self.until { provider.living == ["kernel-3"] && context.isReady }
    }
  }

  @Test func `a kernel that dies during a restart is replaced by one kernel, not two`() async throws {
    try await withContext { provider, context in
      let restarts = (0..<3).map { _ in LoopActor.task { try await context.restart() } }
      provider.channels["kernel-1"]?.die()
      for restart in restarts { try await restart.value }
      _ = try await context.ready()
      try await Self.until { provider.living.count == 1 && context.isReady }
      // The one that is left is the one that is used.
      let last = try #require(provider.living.first)
      provider.channels[last]?.die()
      try await Self.until { context.isReady && provider.living.count == 1 && provider.living != [last] }
    }
  }

  @Test func `a kernel's death is reported once, when another kernel is ready`() async throws {
    try await withContext { provider, context in
      #expect(context.takeLoss() == nil)
      let gate = Promise<Void>()
      provider.gate = gate
      provider.channels["kernel-1"]?.die()
      try await Self.until { provider.startCount == 2 }
      #expect(context.takeLoss() == nil)
      gate.fulfil(())
      try await Self.until { context.isReady }
      #expect(context.takeLoss() == "killed by SIGKILL")
      #expect(context.takeLoss() == nil)
    }
  }

  @Test func `a requested restart is not reported, even if the kernel had died before`()
    async throws
  {
    try await withContext { provider, context in
      try await context.restart()
      #expect(context.takeLoss() == nil)
      provider.channels["kernel-2"]?.die()
      try await Self.until { provider.living == ["kernel-3"] && context.isReady }
      try await context.restart()
      #expect(context.takeLoss() == nil)
      let restart = LoopActor.task { try await context.restart() }
      provider.channels["kernel-4"]?.die()
      try await restart.value
      try await Self.until { provider.living.count == 1 && context.isReady }
      #expect(context.takeLoss() == nil)
    }
  }

  @Test func `a necessary replacement is reported, and an exit with its reason`()
    async throws
  {
    try await withContext { provider, context in
      try await context.restart(after: "it did not obey")
      #expect(context.takeLoss() == "it did not obey")
      context.expectEnd(of: try await context.ready(), because: "exit() was called")
      provider.channels["kernel-2"]?.die()
      try await Self.until { provider.living == ["kernel-3"] && context.isReady }
      #expect(context.takeLoss() == "exit() was called")
      provider.channels["kernel-3"]?.die()
      try await Self.until { provider.living == ["kernel-4"] && context.isReady }
      #expect(context.takeLoss() == "killed by SIGKILL")
    }
  }

  @Test func `a lost connection is reported if the kernel is lost with it`() async throws {
    try await withContext { provider, context in
      provider.onReconnect = { _ in FakeChannel() }
      provider.channels["kernel-1"]?.breakOff()
      try await Self.until { provider.reconnectCount == 1 && context.isReady }
      #expect(context.takeLoss() == nil)
      provider.onReconnect = { _ in throw KernelProviderError.kernelIsGone }
      provider.channels["kernel-1"]?.breakOff()
      try await Self.until { provider.living == ["kernel-2"] && context.isReady }
      #expect(context.takeLoss()?.hasPrefix("the connection to the kernel was lost") == true)
    }
  }

  @Test func `a context that nobody has used has no kernel`() async throws {
    try await withContext { provider, _ in
      let context = Self.makeContext(on: provider)
      #expect(!context.hasBegun && provider.startCount == 1)
      await context.delete(because: "the test is over")
      #expect(provider.startCount == 1)
    }
  }

  @Test func `a context gets a live kernel, however many warm ones have died`() async throws {
    try await withContext { provider, context in
      provider.deadWarmKernels = 5
      try await context.restart()
      #expect(provider.living == ["kernel-7"])
    }
  }

  @Test(arguments: [true, false])
  func `a context deleted while its kernel is replaced leaves no kernel`(isRestarted: Bool) async throws {
    try await withContext { provider, context in
      let gate = Promise<Void>()
      provider.gate = gate
      let restart = LoopActor.task { if isRestarted { try await context.restart() } }
      if !isRestarted { provider.channels["kernel-1"]?.die() }
      try await Self.until { provider.startCount == 2 }
      let begun = Promise<Void>()
      let deletion = LoopActor.task {
        begun.fulfil(())
        await context.delete(because: "it was deleted")
      }
      try await begun.get()
      gate.fulfil(())
      await deletion.value
      _ = await restart.result
      #expect(provider.living.isEmpty)
      await #expect(throws: KernelEnd.shutDown("it was deleted")) { try await context.ready() }
    }
  }

  /// Runs `body` with a context whose kernel is ready, which it deletes.
  private func withContext(
    _ body: @escaping @LoopActor (FakeKernelProvider, Context) async throws -> Void
  ) async throws {
    try await TestLoop.run {
      let provider = FakeKernelProvider()
      let context = Self.makeContext(on: provider)
      _ = try await context.ready()
      try await body(provider, context)
      await context.delete(because: "the test is over")
      // Handles are closing: their turn of the loop is what the count waits for.
      await Task.yield()
    }
  }

  @LoopActor
  private static func makeContext(on provider: FakeKernelProvider) -> Context {
    Context(
      language: "python", spec: FakeKernelProvider.spec, directory: "/", isDirectoryRequested: false,
      isDefault: false,
      provider: provider, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  @LoopActor
  private static func until(_ condition: @LoopActor () -> Bool) async throws {
    for _ in 0..<100_000 where !condition() { await Task.yield() }
    try #require(condition())
  }
}
