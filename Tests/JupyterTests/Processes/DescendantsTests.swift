import Bytes
import Glibc
import Loop
import TestLoop
import Testing

@testable import Jupyter

@Suite struct DescendantsTests {
  @Test func `Searches at the same time share one thread of the pool`() async throws {
    try await TestLoop.run {
      let plug = try PoolPlug()
      let before = Descendants.roundCount
      var series = ProcessTagSeries()
      let searches = (0..<64).map { number in
        let tag = series.next()
        return LoopActor.task {
          let left = await Descendants(session: -1, tag: tag, variable: "NOBODY=\(number)").kill()
          #expect(left == [])
        }
      }
      // All searches have begun when this runs.
      await LoopActor.task {}.value
      let reading = Pending {}
      plug.releaseOne()
      _ = try await reading.value()
      await plug.remove()
      for search in searches { await search.value }
      #expect(Descendants.roundCount <= before + 2)
    }
  }

  @Test func `A process with the tag is killed, even a daemon that left its session`() async throws {
    try await TestLoop.run {
      var series = ProcessTagSeries()
      let daemon = try await self.daemon(of: series.next())
      let other = try await self.daemon(of: series.next())
      // No process has this session or this variable.
      let left = await Descendants(session: -1, tag: daemon.tag, variable: "NOBODY=1").kill()
      #expect(left == [])
      #expect(try await daemon.output.fill() == false, "its end of the pipe is closed")
      #expect(kill(other.process, 0) == 0)
      #expect(await Descendants(session: -1, tag: other.tag, variable: "NOBODY=1").kill() == [])
      await daemon.output.close()
      await other.output.close()
    }
  }

  @Test func `Concurrent searches each wait for their own processes`() async throws {
    try await TestLoop.run {
      var series = ProcessTagSeries()
      var daemons: [Daemon] = []
      for _ in 0..<12 { daemons.append(try await self.daemon(of: series.next())) }
      let searches = daemons.enumerated().filter { $0.offset != 5 }.map { _, daemon in
        LoopActor.task {
          let left = await Descendants(session: -1, tag: daemon.tag, variable: "NOBODY=1").kill()
          #expect(left == [])
          let isOpen = try await daemon.output.fill()
          #expect(!isOpen, "its end of the pipe is closed")
        }
      }
      for search in searches { try await search.value }
      #expect(kill(daemons[5].process, 0) == 0)
      #expect(await Descendants(session: -1, tag: daemons[5].tag, variable: "NOBODY=1").kill() == [])
      for daemon in daemons { await daemon.output.close() }
    }
  }

  private struct Daemon {
    let process: Int32
    let tag: ProcessTag
    let output: SocketStream
  }

  /// A process in its own session, with an empty environment, whose parents have ended. It holds a pipe open.
  @LoopActor
  private func daemon(of tag: ProcessTag) async throws -> Daemon {
    let script = "read line; env -i /usr/bin/setsid /bin/sh -c 'echo $$; exec sleep 1000' &"
    let child = try ChildProcess.spawn(
      executable: "sh", arguments: ["-c", script], standardInput: .pipe, standardOutput: .pipe)
    #expect(tag.apply(to: child.processIdentifier))
    await child.standardInput?.close()
    #expect(await child.exit() == .code(0))
    let output = try #require(child.standardOutput)
    _ = try await output.fill()
    let process = try #require(Int32(String(output.inbound.takeAll()).dropLast()))
    return Daemon(process: process, tag: tag, output: output)
  }
}
