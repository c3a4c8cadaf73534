import Glibc
import Bytes
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct AdoptedProcesses {
    @Test func `An orphan is adopted, and its exit is reported`() async throws {
      try await onLoop {
        let subreaper = try Subreaper()
        let (child, orphan) = try await self.orphan(running: "read -r line; exit 7")
        let status = Promise<Loop.ExitStatus>()
        subreaper.expect(orphan) { status.fulfil($0) }
        await child.standardInput?.close()
        #expect(await status.getRegardless() == .code(7))
        #expect(kill(orphan, 0) != 0, "it is no zombie")
        subreaper.close()
      }
    }

    @Test func `Children of libuv are left to libuv, however many end at once`() async throws {
      try await onLoop {
        let subreaper = try Subreaper()
        let children = try (0..<20).map {
          try ChildProcess.spawn(executable: "sh", arguments: ["-c", "exit \($0)"])
        }
        for (number, child) in children.enumerated() { #expect(await child.exit() == .code(number)) }
        subreaper.close()
      }
    }

    @Test func `A process that is not a child is watched until its end`() async throws {
      try await onLoop {
        let subreaper = try Subreaper()
        let (child, orphan) = try await self.orphan(running: "exec sleep 1000")
        let process = try ProcessDescriptor(orphan)
        let watch = try ProcessWatcher(process)
        #expect(!process.hasEnded)
        let status = Promise<Loop.ExitStatus>()
        subreaper.expect(orphan) { status.fulfil($0) }
        #expect(process.send(.kill))
        try await watch.untilEnd()
        #expect(await status.getRegardless() == .signal(9))
        #expect(throws: UVError.noSuchProcess) { try ProcessDescriptor(orphan) }
        #expect(process.hasEnded)
        #expect(!process.send(.kill))
        #expect(!process.sendToGroup(.kill))
        watch.close()
        await child.standardInput?.close()
        subreaper.close()
      }
    }

    @Test func `A pidfd shows the end of a zombie`() async throws {
      try await onLoop {
        let child = try ChildProcess.spawn(executable: "sh", arguments: ["-c", "kill -KILL $$"])
        // The loop's turn that would reap it does not come.
        while !child.hasEnded {}
        #expect(child.exitStatus == nil)
        #expect(await child.exit() == .signal(9))
      }
    }

    @Test func `A wait for a watched process can be cancelled`() async throws {
      try await onLoop {
        let watch = try ProcessWatcher(ProcessDescriptor(getpid()))
        let waiting = LoopActor.task { try await watch.untilEnd() }
        await Task.yield()
        watch.close()
        await #expect(throws: UVError.cancelled) { try await waiting.value }
      }
    }

    /// A process whose parent, a child of this process, has ended. It reads the child's input.
    @LoopActor
    private func orphan(running script: String) async throws -> (ChildProcess, Int32) {
      let child = try ChildProcess.spawn(
        executable: "sh",
        arguments: ["-c", "exec 3<&0; sh -c '\(script)' <&3 >/dev/null & echo $!"], standardInput: .pipe,
        standardOutput: .pipe)
      while try await child.standardOutput?.fill() == true {}
      let text = child.standardOutput.map { String($0.inbound.takeAll()) } ?? ""
      await child.standardOutput?.close()
      _ = await child.exit()
      return (child, try #require(Int32(text.dropLast())))
    }
  }

  @Suite struct NamedPipes {
    @Test func `A named pipe is read until its last writer closes it`() async throws {
      try await onLoop {
        let directory = try TemporaryDirectory(prefix: "fifo-")
        let path = "\(directory.path)/log"
        let pipe = try SocketStream.makeFIFO(path)
        #expect(throws: UVError.exists) { try SocketStream.makeFIFO(path) }
        let child = try ChildProcess.spawn(
          executable: "sh", arguments: ["-c", "exec >\(path); echo one; (echo two)"])
        while try await pipe.fill() {}
        #expect(String(pipe.inbound.takeAll()) == "one\ntwo\n")
        _ = await child.exit()
        await pipe.close()
        await directory.remove()
      }
    }
  }
}
