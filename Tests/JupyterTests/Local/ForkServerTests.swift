import Logging
import Loop
import Bytes
import TestLoop
import Testing

@testable import Jupyter

/// With a fake fork server that speaks the protocol and forks shells.
@Suite(.serialized) struct ForkServerTests {
  @Test func `a forked kernel reports its exit and its last lines`() async throws {
    try await withServer { server, workplace in
      let kernel = try #require(await workplace.fork("echo one; echo two >&2; exit 3", by: server))
      #expect(await kernel.exit() == .code(3))
      await kernel.close()
      #expect(kernel.lastLines == "one; two")
    }
  }

  @Test func `a signal reaches the kernel and its group`() async throws {
    try await withServer { server, workplace in
      let kernel = try #require(await workplace.fork("sleep 1000 & echo up; wait", by: server))
      #expect(kernel.exitStatus == nil)
      kernel.signal(.kill)
      #expect(await kernel.exit() == .signal(9))
      // The pipe ends with the last of the group.
      await kernel.close()
    }
  }

  @Test func `kernels outlive the fork server, and their exit is known`() async throws {
    try await withServer { server, workplace in
      let first = try #require(await workplace.fork("sleep 1000", by: server))
      let second = try #require(await workplace.fork("sleep 1000", by: server))
      server.kill()
      _ = await server.exit()
      #expect(first.exitStatus == nil && second.exitStatus == nil)
      first.signal(.kill)
      second.signal(.terminate)
      #expect(await first.exit() == .signal(9))
      #expect(await second.exit() == .signal(15))
      await first.close()
      await second.close()
    }
  }

  @Test func `no kernel is forked by a fork server that ends meanwhile`() async throws {
    try await withServer { server, workplace in
      let forking = LoopActor.task { try await workplace.fork("DIE", by: server) }
      let kernel = try await forking.value
      #expect(kernel == nil)
      let next = try await workplace.fork("exit 0", by: server)
      #expect(next == nil)
      #expect(!server.canFork)
    }
  }

  @Test func `a failed fork returns no kernel, and the next one succeeds`() async throws {
    try await withServer { server, workplace in
      let failed = try await workplace.fork("FAIL", by: server)
      #expect(failed == nil)
      let kernel = try #require(await workplace.fork("exit 0", by: server))
      #expect(await kernel.exit() == .code(0))
      await kernel.close()
    }
  }

  @Test func `a fork server that does not start reports the reason`() async throws {
    try await TestLoop.run {
      let subreaper = try Subreaper()
      let command = ForkServer.Command(
        executable: "sh", arguments: ["-c", "echo 'no such module' >&2; exit 1"], environment: [:])
      let server = try ForkServer(command, subreaper: subreaper, logger: .silent)
      #expect(await server.isPrepared.getRegardless() == false)
      #expect(await server.exit() == "exited with status 1: no such module")
      subreaper.close()
    }
  }

  private func withServer(
    _ body: @escaping @LoopActor (ForkServer, Workplace) async throws -> Void
  ) async throws {
    try await TestLoop.run {
      let subreaper = try Subreaper()
      let workplace = try Workplace()
      let command = ForkServer.Command(
        executable: "python3", arguments: ["-c", standIn],
        environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"])
      let server = try ForkServer(command, subreaper: subreaper, logger: .silent)
      #expect(await server.isPrepared.getRegardless())
      try await body(server, workplace)
      server.kill()
      _ = await server.exit()
      subreaper.close()
      await workplace.directory.remove()
    }
  }

  /// The directory of logs.
  @LoopActor
  private final class Workplace {
    let directory: TemporaryDirectory
    private var count = 0

    init() throws { directory = try TemporaryDirectory(prefix: "fork-server-") }

    func fork(_ script: String, by server: ForkServer) async throws -> ForkedProcess? {
      count += 1
      let path = "\(directory.path)/log\(count)"
      let log = try SocketStream.makeFIFO(path)
      let request = ForkRequest(arguments: [script], directory: "/", environment: ["A": "b"], log: path)
      guard let child = await server.fork(request) else {
        await log.close()
        return nil
      }
      return ForkedProcess(child, log: log, logger: .silent)
    }
  }
}

extension Logger {
  /// Never gets ready.
  static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}

/// Speaks the protocol of the fork server, and forks shells that run the first argument; some words are commands for
/// itself.
let standIn = """
  import json, os, select, signal, sys
  def say(**values): os.write(1, json.dumps(values).encode() + b"\\n")
  wakeup, write = os.pipe()
  os.set_blocking(write, False)
  signal.set_wakeup_fd(write)
  signal.signal(signal.SIGCHLD, lambda *_: None)
  children, rest = {}, b""
  say(ready=True)
  while True:
    ready, _, _ = select.select([0, wakeup], [], [])
    if wakeup in ready:
      os.read(wakeup, 100)
      while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0: break
        code = os.waitstatus_to_exitcode(status)
        say(id=children.pop(pid), exit={"status": code} if code >= 0 else {"signal": -code})
    if 0 not in ready: continue
    data = os.read(0, 65536)
    if not data: break
    *lines, rest = (rest + data).split(b"\\n")
    for line in lines:
      request = json.loads(line)
      script = request["argv"][0]
      if script == "DIE": os._exit(1)
      if script == "FAIL":
        say(id=request["id"], error="out of processes")
        continue
      pid = os.fork()
      if pid == 0:
        os.setsid()
        log = os.open(request["log"], os.O_WRONLY)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.closerange(3, 100)
        os.execve("/bin/sh", ["sh", "-c", script], {"PATH": "/usr/bin:/bin"})
      children[pid] = request["id"]
      say(id=request["id"], pid=pid)
  """
