import Glibc
import Logging
import Loop
import Bytes
import TestLoop
import Testing
import Wire

@testable import Jupyter

@Suite(.enabled(if: KernelEnvironment.isWanted, KernelEnvironment.reason), .serialized)
struct LocalKernelProviderTests {
  @Test func `a kernel runs code in its directory, with its variables`() async throws {
    try await withKernel(environment: ["GREETING": "hello"]) { kernel, _ in
      let code = "import os; print(os.getcwd(), os.environ['GREETING'], os.getsid(0) == os.getpid())"
      let output = try await kernel.output(of: code)
      #expect(output == "/usr hello True\\n")
    }
  }

  @Test(arguments: [false, true])
  func `ten thousand outputs arrive in order`(isForked: Bool) async throws {
    try await withKernel(isForked: isForked) { kernel, _ in
      let code = "for i in range(10_000): print(i, flush=True)"
      let output = try await kernel.output(of: code)
      #expect(output == (0..<10_000).map { "\($0)\\n" }.joined())
    }
  }

  @Test(arguments: [false, true])
  func `running code is interrupted, and the kernel goes on`(isForked: Bool) async throws {
    try await withKernel(isForked: isForked) { kernel, _ in
      let running = Task { @LoopActor in
        try await kernel.output(of: "print('x', flush=True)\nwhile True: pass") { _ in
          Task { try await kernel.interrupt() }
        }
      }
      let interrupted = try await running.value
      #expect(interrupted.hasPrefix("x"))
      #expect(interrupted.contains("KeyboardInterrupt"))
      let output = try await kernel.output(of: "print('still here')")
      #expect(output == "still here\\n")
    }
  }

  @Test(arguments: [false, true])
  func `a killed kernel's end is told after its last output, and nothing is left behind`(isForked: Bool)
    async throws
  {
    try await withKernel(isForked: isForked) { kernel, _ in
      let ended = Ended()
      kernel.onEnd = { ended.how = $0 }
      let code =
        "import os, subprocess; print(subprocess.Popen(['sleep', '1000'], start_new_session=True).pid)"
      let child = try await kernel.output(of: code)
      await #expect(throws: KernelEnd.died("killed by SIGKILL")) {
        _ = try await kernel.output(of: "import signal; os.kill(os.getpid(), signal.SIGKILL)")
      }
      #expect(ended.how == .died("killed by SIGKILL"))
      await kernel.shutDown(because: .restarted)
      let process = try #require(Int32(child.dropLast(2)))
      #expect(!isAlive(process))
    }
  }

  @Test(arguments: [false, true])
  func `exit tells the status`(isForked: Bool) async throws {
    try await withKernel(isForked: isForked) { kernel, _ in
      await #expect(throws: KernelEnd.died("exited with status 3")) {
        _ = try await kernel.output(of: "import os; os._exit(3)")
      }
    }
  }

  @Test(arguments: [false, true])
  func `shutting down ends even a busy kernel that ignores requests`(isForked: Bool) async throws {
    try await withKernel(isForked: isForked) { kernel, _ in
      var process = ""
      let code = """
        import os, signal, time
        for number in signal.SIGINT, signal.SIGTERM: signal.signal(number, signal.SIG_IGN)
        print(os.getpid(), flush=True)
        while True:
          try: time.sleep(1000)
          except BaseException: pass
        """
      let running = Task { @LoopActor in
        try await kernel.output(of: code) {
          // The end of the line may come by itself.
          process += $0
          Task { await kernel.shutDown(because: .restarted) }
        }
      }
      await #expect(throws: KernelEnd.restarted) { _ = try await running.value }
      await kernel.shutDown(because: .restarted)
      let identifier = try #require(Int32(process.prefix { $0.isNumber }))
      while isAlive(identifier) { await Task.yield() }
    }
  }

  @Test func `a forked kernel has its directory, its log and its own session`() async throws {
    try await withKernel(isForked: true) { kernel, _ in
      let code = """
        import os, sys
        parent = open(f'/proc/{os.getppid()}/cmdline').read()
        print(os.getcwd(), os.getsid(0) == os.getpid(), 'fork_server' in parent, sorted(os.listdir('/proc/self/fd'))[:3])
        """
      let output = try await kernel.output(of: code)
      #expect(output == "/usr True True ['0', '1', '10']\\n")
    }
  }

  @Test(arguments: [false, true])
  func `a kernel that does not start tells why`(isForked: Bool) async throws {
    try await withProvider(isForked: isForked) { provider in
      let spec = try #require(try await provider.specs(maximumAge: .zero).first { $0.language == "python" })
      await #expect(throws: KernelProviderError.self) {
        _ = try await provider.start(spec, in: "/nonexistent", environment: [:], isolation: KernelIsolation())
      }
      let failure = await #expect(throws: KernelProviderError.self) {
        _ = try await provider.start(
          spec, in: "/", environment: ["PYTHONHOME": "/nonexistent"], isolation: KernelIsolation())
      }
      #expect(failure.map { "\($0)" }?.contains("exited with status 1: ") == true)
    }
  }

  @LoopActor private final class Ended { var how: KernelEnd? }

  private func withProvider(
    isForked: Bool = false, _ body: @escaping @LoopActor (LocalKernelProvider) async throws -> Void
  ) async throws {
    let python = try KernelEnvironment.python
    try await TestLoop.run {
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      let provider = LocalKernelProvider(
        python: python, environment: ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent"],
        preload: isForked ? [] : nil, logger: logger)
      do {
        try await provider.untilPrepared()
        try await body(provider)
      } catch {
        await provider.close()
        throw error
      }
      await provider.close()
      await Task.yield()
    }
  }

  private func withKernel(
    isForked: Bool = false, environment: [String: String] = [:],
    _ body: @escaping @LoopActor (Kernel, LocalKernelProvider) async throws -> Void
  ) async throws {
    try await withProvider(isForked: isForked) { provider in
      let spec = try #require(try await provider.specs(maximumAge: .zero).first { $0.language == "python" })
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      let kernel = try await Kernel.start(
        spec, on: provider, in: "/usr", environment: environment, isolation: KernelIsolation(), logger: logger
      )
      try await body(kernel, provider)
    }
  }
}

/// False also of a zombie, whose parent is yet to hear of its end.
private func isAlive(_ process: Int32) -> Bool {
  guard let file = fopen("/proc/\(process)/stat", "r") else { return false }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 512)
  guard fgets(&line, 512, file) != nil else { return false }
  let text = line.withUnsafeBufferPointer {
    String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
  return !text.contains(") Z ")
}

extension Kernel {
  /// What `code` prints, as it stands in the messages' JSON.
  func output(of code: String, each: (@LoopActor (String) -> Void)? = nil) async throws -> String {
    var text = ""
    for try await message in try await replies(to: session.execution(of: JSONString.contents(of: code))) {
      let content = try? message.content()
      switch message.header.type {
      case .stream:
        let piece = String(content?["text"]?.stringContents ?? Bytes())
        text += piece
        each?(piece)
      case .error: text += content?.description ?? ""
      default: break
      }
    }
    return text
  }
}
