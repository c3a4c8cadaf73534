import Glibc
import Bytes
import TestLoop
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct Tags {
    private static let limits = """
      Limit                     Soft Limit           Hard Limit           Units
      Max open files            1024                 4096                 files
      Max file locks            123456789000000007   unlimited            locks
      Max pending signals       7823                 7823                 signals

      """

    @Test func `A tag is what stands in the line of its limit`() {
      #expect(ProcessTag(limits: Array(Self.limits.utf8)) == ProcessTag(123_456_789_000_000_007))
    }

    @Test(arguments: [
      "", "Max file locks", "Max file locks \n", "Max file locks            unlimited            unlimited",
      "Max open files            1024                 4096", "A Max file locks 1 2",
      "Max file locks            99999999999999999999 unlimited",
    ])
    func `Where there is none, none is seen`(limits: String) {
      #expect(ProcessTag(limits: Array(limits.utf8)) == nil)
    }

    @Test func `No two of a series are alike, and its pattern knows all of them and no others`() throws {
      var series = ProcessTagSeries()
      var other = ProcessTagSeries()
      let pattern = try Regex(series.pattern)
      let tags = [series.next(), series.next(), series.next()]
      #expect(Set(tags).count == 3)
      for tag in tags {
        #expect("Max file locks            \(tag.number)   unlimited".contains(pattern))
      }
      #expect(!"Max file locks            \(other.next().number)   unlimited".contains(pattern))
      #expect(!"Max file locks            unlimited            unlimited".contains(pattern))
    }

    @Test func `What bears it is ended, also a daemon with nothing else to be known by`() async throws {
      try await onLoop {
        var series = ProcessTagSeries()
        let daemon = try await self.daemon(of: series.next())
        let other = try await self.daemon(of: series.next())
        // Neither this session nor this mark is anybody's.
        let left = await ProcessTable.end(session: -1, tag: daemon.tag, mark: "NOBODY=1")
        #expect(left == [])
        #expect(try await daemon.output.fill() == false, "its end of the pipe is closed")
        #expect(kill(other.process, 0) == 0)
        #expect(await ProcessTable.end(session: -1, tag: other.tag, mark: "NOBODY=1") == [])
        await daemon.output.close()
        await other.output.close()
      }
    }

    @Test func `Many are looked for at once, and each is gone when its own search ends`() async throws {
      try await onLoop {
        var series = ProcessTagSeries()
        var daemons: [Daemon] = []
        for _ in 0..<12 { daemons.append(try await self.daemon(of: series.next())) }
        let searches = daemons.enumerated().filter { $0.offset != 5 }.map { _, daemon in
          LoopActor.task {
            let left = await ProcessTable.end(session: -1, tag: daemon.tag, mark: "NOBODY=1")
            #expect(left == [])
            let isOpen = try await daemon.output.fill()
            #expect(!isOpen, "its end of the pipe is closed")
          }
        }
        for search in searches { try await search.value }
        #expect(kill(daemons[5].process, 0) == 0)
        #expect(await ProcessTable.end(session: -1, tag: daemons[5].tag, mark: "NOBODY=1") == [])
        for daemon in daemons { await daemon.output.close() }
      }
    }

    private struct Daemon {
      let process: Int32
      let tag: ProcessTag
      let output: SocketStream
    }

    /// A process in a session of its own, without variables, whose parents have ended; it holds a pipe open.
    @LoopActor
    private func daemon(of tag: ProcessTag) async throws -> Daemon {
      let script = "read line; env -i /usr/bin/setsid /bin/sh -c 'echo $$; exec sleep 1000' &"
      let child = try ChildProcess.spawn(
        executable: "sh", arguments: ["-c", script], standardInput: .pipe, standardOutput: .pipe)
      #expect(tag.put(on: child.processIdentifier))
      await child.standardInput?.close()
      #expect(await child.exit().isSuccess)
      let output = try #require(child.standardOutput)
      _ = try await output.fill()
      let process = try #require(Int32(String(output.inbound.takeAll()).dropLast()))
      return Daemon(process: process, tag: tag, output: output)
    }
  }
}
