import Glibc
import Bytes
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct Processes {
    @Test func `A process returns its output and status`() async throws {
      try await onLoop {
        let child = try ChildProcess.spawn(
          executable: "sh", arguments: ["-c", "echo out; echo err >&2; exit 3"], standardOutput: .pipe,
          standardError: .pipe)
        #expect(try await child.standardOutput?.text() == "out\n")
        #expect(try await child.standardError?.text() == "err\n")
        #expect(await child.exit() == .code(3))
        #expect(try await child.untilExit().description == "exited with status 3")
      }
    }

    @Test func `Its input reaches the process until it is closed`() async throws {
      try await onLoop {
        let child = try ChildProcess.spawn(executable: "cat", standardInput: .pipe, standardOutput: .pipe)
        let large = Bytes(repeatElement(UInt8(ascii: "x"), count: 1_000_000))
        let writer = Task { @LoopActor in
          try await child.standardInput?.write([large])
          try await child.standardInput?.flush()
          await child.standardInput?.close()
        }
        #expect(try await child.standardOutput?.text().utf8.count == 1_000_000)
        try await writer.value
        #expect(await child.exit() == .code(0))
      }
    }

    @Test func `Its input is empty by default, and its pipes are real pipes`() async throws {
      try await onLoop {
        let child = try ChildProcess.spawn(
          executable: "sh", arguments: ["-c", "cat; echo done > /dev/stdout"], standardOutput: .pipe)
        #expect(try await child.standardOutput?.text() == "done\n")
        #expect(await child.exit() == .code(0))
      }
    }

    @Test func `It gets exactly the given environment and directory`() async throws {
      try await onLoop {
        let child = try ChildProcess.spawn(
          executable: "/bin/sh", arguments: ["-c", "pwd; env | grep -v ^PWD= | grep -v ^_= | sort"],
          environment: ["PATH": "/usr/bin:/bin", "B": "two words", "A": "'\"$"], currentDirectory: "/usr",
          standardOutput: .pipe)
        let expected = "/usr\nA='\"$\nB=two words\nPATH=/usr/bin:/bin\n"
        #expect(try await child.standardOutput?.text() == expected)
        _ = await child.exit()
      }
    }

    @Test func `A killed process reports the signal`() async throws {
      try await onLoop {
        let child = try ChildProcess.spawn(executable: "sleep", arguments: ["1000"])
        try child.kill(.kill)
        #expect(await child.exit() == .signal(9))
        #expect(child.exitStatus?.description == "killed by SIGKILL")
        #expect(throws: UVError.noSuchProcess) { try child.kill(.kill) }
      }
    }

    @Test func `Killing the group of a detached process reaches its children`() async throws {
      try await onLoop {
        let child = try ChildProcess.spawn(
          executable: "sh", arguments: ["-c", "sleep 1000 & echo started; wait"], detached: true,
          standardOutput: .pipe)
        _ = try await child.standardOutput?.fill()
        #expect(getpgid(child.processIdentifier) == child.processIdentifier)
        child.killGroup(.kill)
        // The end of the pipe comes when the last of them is gone.
        #expect(try await child.standardOutput?.text() == "started\n")
        #expect(await child.exit() == .signal(9))
      }
    }

    @Test(arguments: [false, true])
    func `A program that does not exist is an error, and leaves nothing`(diesWithParent: Bool) async throws {
      try await onLoop {
        for name in ["/nothing/here", "no-such-program-anywhere"] {
          #expect(throws: UVError.noEntry) {
            try ChildProcess.spawn(
              executable: name, standardInput: .pipe, standardOutput: .pipe, diesWithParent: diesWithParent)
          }
        }
        #expect(throws: UVError.noEntry) {
          try ChildProcess.spawn(
            executable: "true", currentDirectory: "/nothing", diesWithParent: diesWithParent)
        }
        #expect(throws: UVError.accessDenied) {
          try ChildProcess.spawn(executable: "/etc/passwd", diesWithParent: diesWithParent)
        }
        #expect(throws: UVError.invalidArgument) {
          try ChildProcess.spawn(executable: "true", arguments: ["a\0b"], diesWithParent: diesWithParent)
        }
      }
    }

    @Test func `A process that dies with its parent has the known identifier`() async throws {
      try await onLoop {
        let child = try ChildProcess.spawn(
          executable: "sh", arguments: ["-c", "echo $$"], standardOutput: .pipe, diesWithParent: true)
        #expect(try await child.standardOutput?.text() == "\(child.processIdentifier)\n")
        #expect(await child.exit() == .code(0))
      }
    }

    @Test func `A killed parent takes its child along`() async throws {
      try await onLoop {
        // The kernel ties the signal to the parent, here a shell that is killed; its child holds the pipe open.
        let parent = try ChildProcess.spawn(
          executable: "sh",
          arguments: ["-c", "setpriv --pdeathsig KILL -- sh -c 'echo up; exec sleep 1000' & wait"],
          standardOutput: .pipe)
        _ = try await parent.standardOutput?.fill()
        try parent.kill(.kill)
        #expect(await parent.exit() == .signal(9))
        #expect(try await parent.standardOutput?.text() == "up\n")
      }
    }

    @Test func `Waiting for the end can be cancelled; the process runs on`() async throws {
      try await onLoop {
        let child = try ChildProcess.spawn(executable: "cat", standardInput: .pipe)
        let waiter = Task { @LoopActor in try await child.untilExit() }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
        #expect(child.exitStatus == nil)
        await child.standardInput?.close()
        #expect(await child.exit() == .code(0))
      }
    }

    @Test func `A released process is watched until its end`() async throws {
      try await onLoop {
        let before = EventLoop.shared.activeHandleCount
        let output = try ChildProcess.spawn(
          executable: "sh", arguments: ["-c", "exec 1>&-; exit 0"], standardOutput: .pipe
        ).standardOutput
        #expect(try await output?.text() == "")
        while EventLoop.shared.activeHandleCount > before { await Task.yield() }
      }
    }
  }
}

extension SocketStream {
  /// All that comes until the end; closes the stream.
  fileprivate func text() async throws -> String {
    while try await fill() {}
    let text = String(inbound.takeAll())
    await close()
    return text
  }
}
