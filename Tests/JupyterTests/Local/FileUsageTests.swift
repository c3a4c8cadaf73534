import Bytes
import Loop
import TestLoop
import Testing

@testable import Jupyter

@Suite struct FileUsageTests {
  private static let kibibytes64 = Bytes(String(repeating: "x", count: 64 << 10))

  @Test func `files count once, whatever their names and depth`() async throws {
    try await TestLoop.run {
      let directory = try TemporaryDirectory(prefix: "usage-")
      try SmallFile.makeDirectory("\(directory.path)/a/b/c")
      guard case .bytes(let before) = await FileUsage.count(in: [directory.path]) else {
        Issue.record("not counted")
        return
      }
      try await SmallFile.create("\(directory.path)/a/b/c/file", Self.kibibytes64)
      let file = try Descriptor.openDirectory(path: "\(directory.path)/a/b/c").openFile(
        PathName(Array("file".utf8)[...]))
      if Descriptor.canLinkUnnamedFiles {
        try file.link(
          as: PathName(Array("other".utf8)[...]), in: Descriptor.openDirectory(path: directory.path))
      }
      let both = [directory.path, "\(directory.path)/a"]
      #expect(await FileUsage.count(in: both) == .bytes(before + 64 << 10))
      await directory.remove()
    }
  }

  @Test func `a directory that does not exist has no files`() async throws {
    try await TestLoop.run { #expect(await FileUsage.count(in: ["/nonexistent"]) == .bytes(0)) }
  }

  @Test func `files without a name count while they are open, on the same device`() throws {
    let file = try Descriptor.scratchFile(in: "/tmp")
    try file.write([Self.kibibytes64], at: 0)
    let own = CurrentProcess.identifier
    #expect(FileUsage.unnamed(of: [own], onDevicesOf: ["/tmp"]) >= 64 << 10)
    #expect(FileUsage.unnamed(of: [own], onDevicesOf: ["/proc"]) == 0)
    #expect(FileUsage.unnamed(of: [], onDevicesOf: ["/tmp"]) == 0)
    withExtendedLifetime(file) {}
  }
}
