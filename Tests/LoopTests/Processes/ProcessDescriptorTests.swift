import Glibc
import TestLoop
import Testing

@testable import Loop

/// Names the number after which the next process is numbered; only who may restore processes can write it.
private let lastNumber = "/proc/sys/kernel/ns_last_pid"

extension LoopTests {
  @Suite struct ProcessDescriptors {
    @Test(.enabled(if: access(lastNumber, W_OK) == 0))
    func `A signal does not reach who has got the number since`() async throws {
      try await onLoop {
        // Others start processes, too, and may take the number: then once more.
        for _ in 0..<100 {
          let first = try ChildProcess.spawn(executable: "true", detached: true)
          let process = try ProcessDescriptor(first.processIdentifier)
          _ = await first.exit()
          guard let file = fopen(lastNumber, "w") else { continue }
          fputs("\(first.processIdentifier - 1)", file)
          fclose(file)
          let second = try ChildProcess.spawn(executable: "cat", detached: true, standardInput: .pipe)
          let isReused = second.processIdentifier == first.processIdentifier
          #expect(process.hasEnded && !process.send(.kill) && !process.sendToGroup(.kill))
          #expect(throws: UVError.noSuchProcess) { try first.kill(.kill) }
          first.killGroup(.kill)
          await second.standardInput?.close()
          #expect(await second.exit().isSuccess)
          if isReused { return }
        }
        Issue.record("no number was used again")
      }
    }

    @Test func `It knows whose child a process is`() async throws {
      try await onLoop {
        let child = try ChildProcess.spawn(executable: "cat", standardInput: .pipe)
        let process = try ProcessDescriptor(child.processIdentifier)
        #expect(process.isChild(of: getpid()))
        let other = try ProcessDescriptor(getppid())
        #expect(!other.isChild(of: getpid()))
        await child.standardInput?.close()
        _ = await child.exit()
        #expect(!process.isChild(of: getpid()))
      }
    }

    @Test func `What counts of a process is read behind its name, whatever that is`() throws {
      let rest = (4...52).map { "\($0)" }.joined(separator: " ")
      let entry = try #require(ProcessEntry.Fields(Array("12 (a) Z 1 (b) S \(rest)\n".utf8)))
      #expect(!entry.isDead && entry.parent == 4 && entry.session == 6 && entry.start == 22)
      #expect(ProcessEntry.Fields(Array("12 (a) Z \(rest)".utf8))?.isDead == true)
    }

    @Test(arguments: [
      "", "12", "12 (a)", "12 (a) S 1 2 3", "12 (a) S x 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
    ])
    func `What is no process is none`(stat: String) {
      #expect(ProcessEntry.Fields(Array(stat.utf8)) == nil)
    }
  }

  @Suite struct MissingFacilities {
    @Test func `Who cannot have setpriv is told its name`() async throws {
      try await onLoop {
        let path = try ChildProcess.setpriv()
        #expect(path.hasSuffix("/setpriv"))
        let nowhere = ExecutableSearch(["PATH": "/nowhere"])
        let failure = #expect(throws: MissingFacility.self) { try ChildProcess.setpriv(in: [nowhere]) }
        #expect(failure?.description.contains("util-linux") == true)
      }
    }

    @Test func `Who cannot watch a directory is told which limit is in the way`() async throws {
      #expect("\(MissingFacility.inotify("/d", .tooManyOpenFiles))".contains("fs.inotify.max_user_instances"))
      #expect("\(MissingFacility.inotify("/d", .noSpace))".contains("fs.inotify.max_user_watches"))
      try await onLoop {
        let failure = #expect(throws: MissingFacility.self) { try DirectoryWatcher("/nowhere") }
        #expect(failure?.description == "inotify cannot watch /nowhere: no such file or directory (ENOENT)")
      }
    }
  }
}
