import Glibc
import TestLoop
import Testing

@testable import Loop

/// The next process gets the number after this one. Writing it needs CAP_CHECKPOINT_RESTORE.
private let lastNumber = "/proc/sys/kernel/ns_last_pid"

extension LoopTests {
  @Suite struct ProcessDescriptors {
    @Test(.enabled(if: access(lastNumber, W_OK) == 0, "the next process's number cannot be chosen"))
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
          #expect(await second.exit() == .code(0))
          if isReused { return }
        }
        Issue.record("no number was used again")
      }
    }
  }

  @Suite struct SystemRequirements {
    @Test func `A missing setpriv is named with its package`() async throws {
      try await onLoop {
        let path = try ChildProcess.setpriv()
        #expect(path.hasSuffix("/setpriv"))
        let nowhere = ExecutableSearch(["PATH": "/nowhere"])
        let failure = #expect(throws: SystemRequirementError.self) { try ChildProcess.setpriv(in: [nowhere]) }
        #expect(failure?.description.contains("util-linux") == true)
      }
    }

    @Test func `A directory that cannot be watched names the limit to raise`() async throws {
      #expect(
        "\(SystemRequirementError.inotify("/d", .tooManyOpenFiles))".contains("fs.inotify.max_user_instances")
      )
      #expect("\(SystemRequirementError.inotify("/d", .noSpace))".contains("fs.inotify.max_user_watches"))
      try await onLoop {
        let failure = #expect(throws: SystemRequirementError.self) { try DirectoryWatcher("/nowhere") }
        #expect(failure?.description == "inotify cannot watch /nowhere: no such file or directory (ENOENT)")
      }
    }
  }
}
