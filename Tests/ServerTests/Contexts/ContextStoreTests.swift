@testable import HTTPServer
@testable import Jupyter
import Logging
@testable import Loop
@testable import Bytes
import TestLoop
import Testing

@testable import Server

@Suite struct ContextStoreTests {
  @Test func `default contexts are listed before they are used, and stay the same when they are`()
    async throws
  {
    try await withStore { provider, store in
      let listed = await store.all()
      #expect(listed.map(\.language) == ["python", "javascript"])
      #expect(provider.startCount == 0)
      let python = try await store.defaultContext(for: nil)
      let javascript = try await store.defaultContext(for: "js")
      #expect(python === listed[0] && javascript === listed[1])
      let named = try store.context(Bytes(listed[1].identifier))
      #expect(named === listed[1])
      #expect(await store.all().count == 2)
    }
  }

  @Test func `a default context that is used by its identifier gets a kernel`() async throws {
    try await withStore { provider, store in
      let listed = await store.all()
      _ = try await store.context(Bytes(listed[1].identifier)).ready()
      #expect(provider.startCount == 1)
      try await store.restart(Bytes(listed[0].identifier))
      #expect(provider.startCount == 2)
    }
  }

  @Test func `a deleted default context comes back only when it is used`() async throws {
    try await withStore { _, store in
      for context in await store.all() { try await store.delete(Bytes(context.identifier)) }
      #expect(await store.all().isEmpty)
      _ = try await store.defaultContext(for: "javascript").ready()
      #expect(await store.all().map(\.language) == ["javascript"])
    }
  }

  @Test func `a context counts against the limit only when it has a kernel`() async throws {
    try await withStore(limit: 1) { _, store in
      let listed = await store.all()
      let context = try await store.create(language: "python", directory: nil)
      #expect(await store.all().count == 3)
      #expect(throws: HTTPErrorResponse.self) { try store.context(Bytes(listed[1].identifier)) }
      await #expect(throws: HTTPErrorResponse.self) { try await store.defaultContext(for: nil) }
      try await store.delete(Bytes(context.identifier))
      _ = try await store.defaultContext(for: nil).ready()
    }
  }

  @Test func `the error for an unknown identifier repeats at most 32 characters of it`() async throws {
    try await withStore { _, store in
      for (identifier, shown) in [
        ("no-such", "no-such"),
        (String(repeating: "é", count: 1 << 20), String(repeating: "é", count: 32) + "…"),
      ] {
        #expect(throws: HTTPErrorResponse(404, "Context \(shown) not found")) {
          try store.context(Bytes(identifier))
        }
      }
    }
  }

  @Test func `kernelspecs that are installed later are found`() async throws {
    try await withStore { provider, store in
      provider.installed = [FakeKernelProvider.spec]
      #expect(await store.all().map(\.language) == ["python"])
      await #expect(throws: HTTPErrorResponse.self) { try await store.defaultContext(for: "bash") }
      await #expect(throws: HTTPErrorResponse.self) {
        try await store.create(language: "bash", directory: nil)
      }
      provider.installed.append(KernelSpec(name: "bash", displayName: "Bash", language: "bash"))
      let shared = try await store.defaultContext(for: "bash")
      let own = try await store.create(language: " SH ", directory: nil)
      #expect(shared.language == "bash" && own.language == "bash")
    }
  }

  private func withStore(
    limit: Int = 8, _ body: @escaping @LoopActor (FakeKernelProvider, ContextStore) async throws -> Void
  ) async throws {
    try await TestLoop.run {
      let provider = FakeKernelProvider()
      provider.installed.append(KernelSpec(name: "deno", displayName: "Deno", language: "typescript"))
      let store = ContextStore(
        provider: provider, workspace: "/", limit: limit,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      try await body(provider, store)
      await store.close()
      await Task.yield()
    }
  }
}
