import Bytes
import Glibc
import Testing

@testable import Loop

@Suite struct SecretFileTests {
  private static func withFile(_ content: String, mode: mode_t, _ body: (String) throws -> Void) throws {
    let path = "\(TemporaryDirectory.parent)/secret-\(UInt64.random(in: .min ... .max))"
    let file = Descriptor(adopting: open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600))
    defer { unlink(path) }
    try file.write([Bytes(content)], at: 0)
    fchmod(file.number, mode)
    try body(path)
  }

  @Test(arguments: [0o600, 0o400, 0o700] as [mode_t])
  func `a file of its owner is read`(mode: mode_t) throws {
    try Self.withFile("secret\n", mode: mode) { path throws in
      let file = try SecretFile(path, limit: 7)
      #expect(file.content == "secret\n" && file.canBeReadAgain)
    }
  }

  @Test(arguments: [0o640, 0o604, 0o644] as [mode_t])
  func `a file that others can read is refused`(mode: mode_t) throws {
    try Self.withFile("secret", mode: mode) { path in
      #expect(throws: SecretFile.Failure.readableByOthers) { try SecretFile(path, limit: 7) }
    }
  }

  @Test func `a long file, a directory and a missing file are refused`() throws {
    try Self.withFile("secret", mode: 0o600) { path in
      #expect(throws: SecretFile.Failure.tooLong) { try SecretFile(path, limit: 5) }
    }
    #expect(throws: SecretFile.Failure.unreadable(.noEntry)) { try SecretFile("/nowhere", limit: 5) }
    #expect(throws: SecretFile.Failure.unreadable(.noEntry)) { try SecretFile("", limit: 5) }
    let directory = try TemporaryDirectory(prefix: "secret-")
    defer { rmdir(directory.path) }
    #expect(throws: SecretFile.Failure.unreadable(.isDirectory)) {
      try SecretFile(directory.path, limit: 5)
    }
  }

  @Test func `a pipe is read to its end`() throws {
    var ends: [CInt] = [-1, -1]
    try #require(pipe(&ends) == 0)
    defer { close(ends[0]) }
    #expect(write(ends[1], "secret", 6) == 6)
    close(ends[1])
    let file = try SecretFile("/dev/fd/\(ends[0])", limit: 7)
    #expect(file.content == "secret" && !file.canBeReadAgain)
  }
}
