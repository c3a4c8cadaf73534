import Glibc
import Logging
import Loop
import Bytes
import TestLoop
import Testing

@testable import Jupyter

@Suite(.enabled(if: KernelEnvironment.isWanted, KernelEnvironment.reason), .serialized)
struct WarmPoolTests {
  @Test func `a kernel from the pool behaves like a new one`() async throws {
    let code = """
      import json, os, sys
      names = sorted(name for name in globals() if name not in ('exit', 'quit', 'open'))
      run = os.path.dirname(os.environ['IPYTHONDIR'])
      hidden = {name: value.replace(run, 'RUN') for name, value in sorted(os.environ.items()) if name != 'CODE_INTERPRETER_KERNEL'}
      print(json.dumps([os.getcwd(), sys.path, names, repr(_dh), len(In), len(Out), _ih, get_ipython().execution_count, hidden]))
      """
    try await withPool { pool, spec in
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      let started = try LocalKernelProvider.ofTests(preload: nil)
      let fresh = try await Kernel.start(
        spec, on: started, in: "/usr/lib", environment: [:], isolation: KernelIsolation(), logger: logger)
      // The first one starts the pool.
      _ = try await Kernel.start(
        spec, on: pool, in: "/usr", environment: [:], isolation: KernelIsolation(), logger: logger)
      await pool.untilFull()
      let warm = try await Kernel.start(
        spec, on: pool, in: "/usr/lib", environment: [:], isolation: KernelIsolation(), logger: logger)
      let (expected, found) = (try await fresh.output(of: code), try await warm.output(of: code))
      #expect(found == expected)
      await started.close()
      await pool.untilFull()
      let next = try await pool.start(spec, in: "/usr/lib", environment: [:], isolation: KernelIsolation())
      #expect(next.isWarm)
    }
  }

  @Test func `a kernel that dies while it waits is replaced`() async throws {
    try await withPool { pool, spec in
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      let first = try await Kernel.start(
        spec, on: pool, in: "/usr", environment: [:], isolation: KernelIsolation(), logger: logger)
      await pool.untilFull()
      let code = """
        import os, signal
        mark = os.environ['CODE_INTERPRETER_KERNEL'].split('/')[0].encode()
        def holds(pid, file, text):
            try: return text in open(f'/proc/{pid}/{file}', 'rb').read()
            except OSError: return False
        others = [int(pid) for pid in os.listdir('/proc') if pid.isdecimal() and int(pid) != os.getpid()]
        ours = [pid for pid in others if holds(pid, 'environ', mark) and holds(pid, 'cmdline', b'kernel.kernel')]
        killed = [os.kill(pid, signal.SIGKILL) for pid in ours]
        print(len(killed))
        """
      let killed = try await first.output(of: code)
      #expect(killed == "1\\n")
      while pool.isFull { try await EventLoop.sleep(for: .milliseconds(1)) }
      let second = try await Kernel.start(
        spec, on: pool, in: "/usr", environment: [:], isolation: KernelIsolation(), logger: logger)
      let output = try await second.output(of: "print(1)")
      #expect(output == "1\\n")
    }
  }

  private func withPool(
    _ body: @escaping @LoopActor (WarmPool, KernelSpec) async throws -> Void
  ) async throws {
    try await TestLoop.run {
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      let provider = try LocalKernelProvider.ofTests(preload: [])
      let pool = WarmPool(provider, size: 1, directory: "/usr", logger: logger)
      do {
        let spec = try #require(try await provider.specs(maximumAge: .zero).first { $0.language == "python" })
        try await body(pool, spec)
      } catch {
        await pool.close()
        throw error
      }
      await pool.close()
      await Task.yield()
    }
  }
}

extension WarmPool {
  @LoopActor
  fileprivate func untilFull() async {
    while !isFull { try? await EventLoop.sleep(for: .milliseconds(1)) }
  }
}

extension LocalKernelProvider {
  fileprivate static func ofTests(preload: [String]?) throws -> LocalKernelProvider {
    LocalKernelProvider(
      python: try KernelEnvironment.python, environment: ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"],
      preload: preload, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }
}
